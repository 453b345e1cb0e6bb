import type { IncomingHttpHeaders } from 'node:http2';
import type { Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { status as Code } from '@grpc/grpc-js';
import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import { VolumesService as Volumes, type WatchVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import type { PublicCall } from '#src/rpc/public-server.js';
import { bareClient, metadataOf, milestone, unreadStream, until, volumesServer } from '../support/rpc.js';

function watch(client: Client, headers: Record<string, string> = {}): ClientReadableStream<WatchVolumesResponse> {
  const { path, requestSerialize, responseDeserialize } = Volumes.watchVolumes;
  return client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { resumeToken: '', volumeIds: [] },
    metadataOf(headers),
  );
}

/** Reads a stream to its end: what came, and with which error it ended. */
async function readAll(
  stream: ClientReadableStream<WatchVolumesResponse>,
): Promise<{ tokens: string[]; error?: ServiceError }> {
  const tokens: string[] = [];
  try {
    for await (const { resumeToken } of stream as AsyncIterable<WatchVolumesResponse>) tokens.push(resumeToken);
    return { tokens };
  } catch (error) {
    return { tokens, error: error as ServiceError };
  }
}

async function* messages(count: number, size = 1): AsyncGenerator<WatchVolumesResponse> {
  for (let index = 0; index < count; index += 1) yield { volume: undefined, resumeToken: `${index}`.padEnd(size, ' ') };
}

test('the headers arrive when the stream has begun, before its first message', async (t) => {
  const { reached: begun, reach: begin } = milestone();
  const server = await volumesServer(t, {
    watchVolumes: async (_request, { signal }) => {
      await begun;
      return (async function* (): AsyncGenerator<WatchVolumesResponse> {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield* messages(0);
      })();
    },
  });
  const stream = watch(bareClient(t, server), { 'x-openstack-request-id': 'req-w' });
  stream.on('error', () => undefined);
  let headers: unknown;
  stream.on(
    'metadata',
    (metadata: { get(name: string): unknown[] }) => (headers = metadata.get('x-openstack-request-id')[0]),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(headers, undefined);
  begin();
  await until('the headers are there', () => headers === 'req-w');
  stream.cancel();
});

test('messages arrive in order, and the stream ends when the handler does', async (t) => {
  const server = await volumesServer(t, { watchVolumes: async () => messages(100) });
  const { tokens, error } = await readAll(watch(bareClient(t, server)));
  t.is(error, undefined);
  t.deepEqual(
    tokens,
    Array.from({ length: 100 }, (_, index) => String(index)),
  );
});

test('what the handler refuses, and what it fails with on the way, are faults', async (t) => {
  const server = await volumesServer(t, {
    watchVolumes: async (_request, { context }) => {
      if (context.projectId === 'refused')
        throw new Fault('InvalidInput', { violations: [{ field: 'resume_token', description: 'bad' }], omitted: 0 });
      return (async function* () {
        yield* messages(2);
        throw new Fault('WatchTooSlow', { buffered: 7 });
      })();
    },
  });
  const client = bareClient(t, server);
  const refused = await readAll(watch(client, { 'x-project-id': 'refused' }));
  t.is(refused.error?.code, Code.INVALID_ARGUMENT);
  const slow = await readAll(watch(client));
  t.deepEqual(slow.tokens, ['0', '1']);
  t.true(slow.error && Fault.is(faultFromServiceError(slow.error), 'WatchTooSlow'));
});

test('a reader that does not read stops the handler, and costs bounded memory', async (t) => {
  let made = 0;
  const KIB = 1_024;
  const server = await volumesServer(t, {
    watchVolumes: async () =>
      (async function* () {
        for await (const message of messages(10_000, 16 * KIB)) {
          made += 1;
          yield message;
        }
      })(),
  });
  const stream = unreadStream(t, server, Volumes.watchVolumes.path);
  let before = -1;
  await until('the handler waits', async () => {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return made === before && made > 0;
  });
  t.true(before < 1_000, `${before} messages were made for nobody`);
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
  t.is(made, 10_000);
  t.true(bytes > 10_000 * 16 * KIB);
});

test('a stream that is cut off ends while its caller reads nothing, and the caller finds the reason when it reads', async (t) => {
  const cutOff = new AbortController();
  const sent = milestone();
  const ended = milestone();
  const server = await volumesServer(t, {
    watchVolumes: async () => ({
      cutOff: cutOff.signal,
      async *[Symbol.asyncIterator](): AsyncGenerator<WatchVolumesResponse> {
        try {
          for await (const message of messages(10, 500_000)) {
            yield message;
            sent.reach();
          }
        } finally {
          ended.reach();
        }
      },
    }),
  });
  const stream = unreadStream(t, server, Volumes.watchVolumes.path);
  await sent.reached;
  cutOff.abort(new Fault('WatchTooSlow', { buffered: 7 }));
  await ended.reached;

  const trailers = new Promise<IncomingHttpHeaders>((resolve) => stream.once('trailers', resolve));
  stream.resume();
  t.is((await trailers)['grpc-status'], String(Code.RESOURCE_EXHAUSTED));
});

test('a caller who leaves ends the handler: its signal is aborted and its iterator closed', async (t) => {
  let call: PublicCall | undefined;
  let closed = false;
  const server = await volumesServer(t, {
    watchVolumes: async (_request, given) => {
      call = given;
      return (async function* () {
        try {
          for (;;) {
            yield { volume: undefined, resumeToken: 'x' };
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        } finally {
          closed = true;
        }
      })();
    },
  });
  const stream = watch(bareClient(t, server));
  stream.on('error', () => undefined);
  stream.once('data', () => stream.cancel());
  await until('the iterator is closed', () => closed);
  t.true(Fault.is(call?.signal.reason, 'Cancelled'));
});

test('streams of one project are bounded, apart from its requests', async (t) => {
  const server = await volumesServer(
    t,
    {
      watchVolumes: async (_request, { signal }) =>
        (async function* () {
          yield* messages(1);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        })(),
      getVolume: async () => ({ volume: undefined }),
    },
    { maxStreamsPerProject: 1, maxRequestsPerProject: 1 },
  );
  const client = bareClient(t, server);
  const first = watch(client);
  first.on('error', () => undefined);
  await new Promise((resolve) => first.once('data', resolve));
  t.is((await readAll(watch(client))).error?.code, Code.RESOURCE_EXHAUSTED);
  first.cancel();
  await until('the place is given back', async () => {
    const next = watch(client);
    next.on('error', () => undefined);
    const opened = await new Promise((resolve) =>
      next.once('data', () => resolve(true)).once('error', () => resolve(false)),
    );
    next.cancel();
    return opened === true;
  });
  t.pass();
});
