import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { VolumesService as Volumes } from '#src/gen/cinder/api/v3/volumes.js';
import { type BrokenLimit, CONNECTION_LIMITS, type ConnectionLimits } from '#src/rpc/connection-guard.js';
import { until } from '../support/installation.js';
import { bareClient, callBare, volumesServer } from '../support/rpc.js';

interface Guarded {
  readonly address: string;
  readonly broken: readonly BrokenLimit[];
}

/** A server whose limits are small enough to be met. */
async function guarded(t: ExecutionContext, limits: Partial<ConnectionLimits>): Promise<Guarded> {
  const broken: BrokenLimit[] = [];
  const server = await volumesServer(
    t,
    { getVolume: async () => ({ volume: undefined }) },
    {
      connectionLimits: { ...CONNECTION_LIMITS, penaltyMs: 0, ...limits },
      onBrokenLimit: (one) => broken.push(one),
    },
  );
  return { address: server.address, broken };
}

async function sessionTo(
  t: ExecutionContext,
  { address }: Guarded,
  localAddress = '127.0.0.1',
): Promise<ClientHttp2Session> {
  const [host = '', port = ''] = address.split(':');
  const session = connect(`http://${address}`, {
    createConnection: () => connectTcp({ host, port: Number(port), localAddress }),
  });
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  await new Promise<void>((resolve) => session.once('remoteSettings', () => resolve()).once('close', resolve));
  return session;
}

/** Waits until the server has closed a connection; answers why it said that it did. */
async function closedBecause(session: ClientHttp2Session): Promise<number | undefined> {
  let why: number | undefined;
  session.on('goaway', (code: number) => (why = code));
  // not `once`, which rejects at the error that comes with a GOAWAY
  if (!session.destroyed) await new Promise<void>((resolve) => session.once('close', resolve));
  return why;
}

function call(
  session: ClientHttp2Session,
  headers: Record<string, string> = {},
): ReturnType<ClientHttp2Session['request']> {
  const stream = session.request({
    ...{ ':method': 'POST', ':path': Volumes.getVolume.path, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  stream.on('error', () => undefined).resume();
  return stream;
}

const isClosedFor = test.macro<[limits: Partial<ConnectionLimits>, attack: (session: ClientHttp2Session) => void]>({
  exec: async (t, limits, attack) => {
    const server = await guarded(t, limits);
    const session = await sessionTo(t, server);
    const closed = closedBecause(session);
    attack(session);
    t.is(await closed, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    t.deepEqual(
      server.broken.map(({ limit }) => limit),
      [Object.keys(limits)[0] as keyof ConnectionLimits],
    );
    t.is(
      (await callBare(bareClient(t, server), Volumes.getVolume, { volumeId: 'v' })).error,
      undefined,
      'others go on',
    );
  },
  title: (what = '') => `a connection is closed for ${what}, and told to be calm`,
});

test('streams taken back', isClosedFor, { maxResets: 5 }, (session) => {
  for (let count = 0; count < 6; count += 1) {
    const stream = call(session);
    setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
  }
});
test('pings', isClosedFor, { maxPings: 5 }, (session) => {
  for (let count = 0; count < 6; count += 1) session.ping(() => undefined);
});
test('settings', isClosedFor, { maxSettings: 3 }, (session) => {
  for (let count = 0; count < 4; count += 1) session.settings({ initialWindowSize: 70_000 + count });
});
test('compressed requests in flight', isClosedFor, { maxCompressed: 3 }, (session) => {
  for (let count = 0; count < 4; count += 1) call(session, { 'grpc-encoding': 'gzip' });
});
test('messages that are too large', isClosedFor, { maxOversized: 3 }, (session) => {
  for (let count = 0; count < 4; count += 1) call(session).end(Buffer.from([0, 0x40, 0, 0, 0]));
});

test('pings that measure what the server sends are no offence', async (t) => {
  const server = await guarded(t, { maxPings: 5 });
  const session = await sessionTo(t, server);
  for (let count = 0; count < 50; count += 1) {
    const stream = call(session);
    stream.end(Buffer.alloc(5));
    await once(stream, 'close');
    await new Promise<void>((resolve) => session.ping(() => resolve()));
  }
  t.false(session.closed);
  t.deepEqual(server.broken, []);
});

test('limits are of a time: who keeps within them lives on', async (t) => {
  const server = await guarded(t, { maxSettings: 3, windowMs: 50 });
  const session = await sessionTo(t, server);
  for (let count = 0; count < 12; count += 1) {
    await new Promise<void>((resolve) => session.settings({ initialWindowSize: 70_000 + count }, () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  t.false(session.closed);
});

test('an address that broke a limit gets no new connection for a while; its others, and other addresses, live on', async (t) => {
  const server = await guarded(t, { maxSettings: 3, penaltyMs: 300 });
  const before = await sessionTo(t, server);
  const bad = await sessionTo(t, server);
  const closed = closedBecause(bad);
  for (let count = 0; count < 4; count += 1) bad.settings({ initialWindowSize: 70_000 + count });
  await closed;
  const after = await sessionTo(t, server);
  t.true(after.closed, 'no new one');
  t.false((await sessionTo(t, server, '127.0.0.77')).closed, 'but from elsewhere');
  t.false(before.closed, 'nor is an old one ended');
  const again = await until(async () => {
    const session = await sessionTo(t, server);
    return session.closed ? undefined : session;
  }, 'the penalty to be over');
  t.false(again.closed);
});

test('an address has so many connections at a time, and its places are free again when they end', async (t) => {
  const server = await guarded(t, { maxPerAddress: 2 });
  const [first] = [await sessionTo(t, server), await sessionTo(t, server)];
  t.true((await sessionTo(t, server)).closed);
  t.false((await sessionTo(t, server, '127.0.0.77')).closed);
  first.close();
  await until(async () => ((await sessionTo(t, server)).closed ? undefined : true), 'the place to be free');
});

test('a connection that says nothing is closed; one that spoke is not', async (t) => {
  const server = await guarded(t, { helloMs: 100 });
  const session = await sessionTo(t, server);
  const [host = '', port = ''] = server.address.split(':');
  const silent = connectTcp({ host, port: Number(port) });
  silent.resume();
  await once(silent, 'close');
  t.false(session.closed);
});
