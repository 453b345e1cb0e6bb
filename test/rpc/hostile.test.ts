import { connect, type ClientHttp2Session } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { status as Code } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { VolumesService as Volumes } from '#src/gen/cinder/api/v3/volumes.js';
import { bareClient, callBare, MEBIBYTE, volumesServer } from '../support/rpc.js';

/** A connection that speaks HTTP/2 by hand. */
function bareSession(t: ExecutionContext, server: { readonly address: string }): ClientHttp2Session {
  const session = connect(`http://${server.address}`);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  return session;
}

function headersFor(path: string, more: Record<string, string> = {}): Record<string, string> {
  return { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...more };
}

/** The gRPC status of a stream of a bare session. */
function statusOf(stream: ReturnType<ClientHttp2Session['request']>): Promise<number> {
  return new Promise((resolve, reject) => {
    const take = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', reject);
    stream.resume();
  });
}

test('calls that are reset at any moment leave the server well', async (t) => {
  const server = await volumesServer(t, {
    getVolume: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return { volume: undefined };
    },
    watchVolumes: async () =>
      (async function* () {
        for (let count = 0; count < 50; count += 1) yield { volume: undefined, resumeToken: 'x'.repeat(2_000) };
      })(),
  });
  const session = bareSession(t, server);
  const closed: Promise<unknown>[] = [];
  for (let index = 0; index < 400; index += 1) {
    const path = index % 2 === 0 ? Volumes.getVolume.path : Volumes.watchVolumes.path;
    const stream = session.request(headersFor(path));
    stream.on('error', () => undefined);
    closed.push(new Promise((resolve) => stream.once('close', resolve)));
    stream.write(Buffer.from([0, 0, 0, 0, 0]));
    if (index % 3 > 0) stream.end();
    stream.resume();
    setTimeout(() => stream.close(8), index % 7);
  }
  await Promise.all(closed);
  t.is((await callBare(bareClient(t, server), Volumes.getVolume, { volumeId: 'v' })).error, undefined);
});

test('a request that trickles in for ever is ended, and others are served meanwhile', async (t) => {
  const server = await volumesServer(t, { getVolume: async () => ({ volume: undefined }) }, { requestTimeoutMs: 200 });
  const session = bareSession(t, server);
  const trickles = Array.from({ length: 100 }, () => {
    const stream = session.request(headersFor(Volumes.getVolume.path));
    stream.write(Buffer.from([0, 0, 0]));
    return statusOf(stream);
  });
  t.is((await callBare(bareClient(t, server), Volumes.getVolume, { volumeId: 'v' })).error, undefined);
  t.deepEqual(new Set(await Promise.all(trickles)), new Set([Code.DEADLINE_EXCEEDED]));
});

test('a small message that inflates beyond the limit is RESOURCE_EXHAUSTED', async (t) => {
  const server = await volumesServer(t, { getVolume: async () => ({ volume: undefined }) });
  const bomb = gzipSync(Buffer.alloc(200 * MEBIBYTE));
  const length = Buffer.alloc(5, 1);
  length.writeUInt32BE(bomb.length, 1);
  const before = process.memoryUsage().rss;
  const stream = bareSession(t, server).request(headersFor(Volumes.getVolume.path, { 'grpc-encoding': 'gzip' }));
  stream.end(Buffer.concat([length, bomb]));
  t.is(await statusOf(stream), Code.RESOURCE_EXHAUSTED);
  t.true(process.memoryUsage().rss - before < 100 * MEBIBYTE);
});

test('a length prefix of a gigabyte is refused before a byte of it is kept', async (t) => {
  const server = await volumesServer(t, { getVolume: async () => ({ volume: undefined }) });
  const stream = bareSession(t, server).request(headersFor(Volumes.getVolume.path));
  stream.write(Buffer.from([0, 0x40, 0, 0, 0]));
  t.is(await statusOf(stream), Code.RESOURCE_EXHAUSTED);
});
