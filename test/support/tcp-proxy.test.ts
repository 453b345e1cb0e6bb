import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

/** A server that says everything again, the proxy before it, and a client of the proxy. */
async function echoBehind(t: ExecutionContext) {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const proxy = await TcpProxy.start(t, () => ({ host: '127.0.0.1', port }));
  const client = (): Socket & { said: string } => {
    const socket = Object.assign(connect(proxy.port, '127.0.0.1'), { said: '' });
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (socket.said += chunk.toString()));
    t.teardown(() => socket.destroy());
    return socket;
  };
  return { proxy, client };
}

const becomes = (isTrue: () => boolean, what: string): Promise<true> => until(async () => isTrue() || undefined, what);

test('what is said passes in order, however late, and a connection that ends is forgotten', async (t) => {
  const { proxy, client } = await echoBehind(t);
  const socket = client();
  socket.write('a');
  await becomes(() => socket.said === 'a', 'an answer');
  t.is(proxy.open, 1);
  proxy.delay(150);
  const begun = performance.now();
  socket.write('b');
  await becomes(() => socket.said === 'ab', 'a late answer');
  t.true(performance.now() - begun >= 140);
  socket.end();
  await becomes(() => proxy.open === 0, 'the connection to be gone');
});

test('a connection is cut, and a new one refused, until the network is healed', async (t) => {
  const { proxy, client } = await echoBehind(t);
  const first = client();
  await becomes(() => proxy.open === 1, 'a connection');
  proxy.refuse(true);
  proxy.cut();
  await becomes(() => first.closed, 'the connection to be cut');
  const refused = client();
  await becomes(() => refused.closed, 'a refusal');
  t.is(proxy.open, 0);
  proxy.heal();
  const second = client();
  second.write('x');
  await becomes(() => second.said === 'x', 'an answer');
});

test('while it is held nothing passes, on new connections neither, and later all of it does', async (t) => {
  const { proxy, client } = await echoBehind(t);
  const [before, doomed] = [client(), client()];
  before.write('1');
  await becomes(() => before.said === '1' && proxy.open === 2, 'connections');
  proxy.hold();
  before.write('2');
  const later = client();
  later.write('3');
  await becomes(() => proxy.open === 3, 'a connection more');
  doomed.resetAndDestroy();
  // as long as the fastest answer took, and much longer
  await t.throwsAsync(until(async () => before.said !== '1' || later.said !== '' || undefined, 'nothing', 300));
  proxy.heal();
  await becomes(() => before.said === '12' && later.said === '3', 'what was held back');
  await becomes(() => proxy.open === 2, 'the dead connection to be gone');
});
