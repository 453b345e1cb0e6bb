import { once } from 'node:events';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type HttpListener, listenHttp, type Page } from '#src/telemetry/http-server.js';

async function listenerFor(t: ExecutionContext, pages: Record<string, () => Page>): Promise<HttpListener> {
  const listener = await listenHttp({ address: '127.0.0.1:0', pages, onError: (path) => t.log(path) });
  t.teardown(() => listener.close());
  return listener;
}

const page = (): Page => ({ status: 200, contentType: 'text/plain', body: 'here\n' });

test('it shows its pages, to GET and HEAD only, and nothing else', async (t) => {
  const { address } = await listenerFor(t, { '/metrics': page });
  const ask = async (path: string, method = 'GET'): Promise<readonly [number, string]> => {
    const answer = await fetch(`http://${address}${path}`, { method });
    return [answer.status, await answer.text()];
  };

  t.deepEqual(await ask('/metrics'), [200, 'here\n']);
  t.deepEqual(await ask('/metrics?name=x'), [200, 'here\n']);
  t.deepEqual(await ask('/metrics', 'HEAD'), [200, '']);
  t.is((await ask('/metrics', 'POST'))[0], 405);
  t.is((await ask('/metrics', 'DELETE'))[0], 405);
  for (const path of ['/', '/metrics/', '/constructor', '/__proto__', '/../etc/passwd'])
    t.is((await ask(path))[0], 404);
});

test('a page that cannot be made is an error of its own, and tells nothing of its cause', async (t) => {
  const { address } = await listenerFor(t, {
    '/metrics': () => {
      throw new Error('hunter2');
    },
  });

  const answer = await fetch(`http://${address}/metrics`);

  t.is(answer.status, 500);
  t.notRegex(await answer.text(), /hunter2/);
});

test('headers without end are refused', async (t) => {
  const { address } = await listenerFor(t, { '/metrics': page });

  const answer = await fetch(`http://${address}/metrics`, { headers: { x: 'y'.repeat(20_000) } });

  t.is(answer.status, 431);
});

test('closing does not wait for a connection that says nothing', async (t) => {
  const listener = await listenerFor(t, { '/metrics': page });
  const socket = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  const ended = once(socket, 'close');

  await listener.close();

  await ended;
  t.pass();
});
