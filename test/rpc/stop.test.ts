import { type ClientReadableStream, type ServiceError, status as Code } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { VolumesService as Volumes, type WatchVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { HealthCheckResponse_ServingStatus as Serving, HealthService } from '#src/gen/grpc/health/v1/health.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import {
  bareClient,
  callBare,
  MEBIBYTE,
  milestone,
  schedulerServer,
  unreadStream,
  volumesServer,
} from '../support/rpc.js';

/** A health watch: what it said so far. */
function watchHealth(
  t: ExecutionContext,
  server: ListeningServer,
  service = '',
): { said: Serving[]; ended: Promise<unknown>; first: Promise<unknown> } {
  const { path, requestSerialize, responseDeserialize } = HealthService.watch;
  const stream = bareClient(t, server).makeServerStreamRequest(path, requestSerialize, responseDeserialize, {
    service,
  });
  const said: Serving[] = [];
  const first = new Promise((resolve) => stream.once('data', resolve));
  stream.on('data', ({ status }: { status: Serving }) => said.push(status));
  const ended = new Promise((resolve) => {
    stream.once('end', resolve);
    stream.once('error', resolve);
  });
  return { said, ended, first };
}

async function elapsed(work: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work;
  return performance.now() - begun;
}

test('health is answered for the server and for each service, and others are NOT_FOUND', async (t) => {
  const client = bareClient(t, await schedulerServer(t));
  const check = async (service: string): Promise<unknown> => {
    const { response, error } = await callBare(client, HealthService.check, { service });
    return response?.status ?? error?.code;
  };
  t.is(await check(''), Serving.SERVING);
  t.is(await check('cinder.scheduler.v3.SchedulerManager'), Serving.SERVING);
  t.is(await check('cinder.rpc.v1.Casts'), Serving.SERVING);
  t.is(await check('cinder.volume.v3.VolumeManager'), Code.NOT_FOUND);
  const { response } = await callBare(client, HealthService.list, {});
  t.deepEqual(
    [...(response?.statuses.keys() ?? [])],
    ['', 'cinder.scheduler.v3.SchedulerManager', 'cinder.rpc.v1.Casts'],
  );
});

test('health watchers are told of changes, of theirs only, and of services that are unknown', async (t) => {
  const server = await schedulerServer(t);
  const [all, casts, unknown] = ['', 'cinder.rpc.v1.Casts', 'no.Such'].map((service) =>
    watchHealth(t, server, service),
  );
  await Promise.all([all?.first, casts?.first, unknown?.first]);
  server.setServing(false, 'cinder.rpc.v1.Casts');
  server.setServing(true, 'cinder.rpc.v1.Casts');
  await server.stop(1_000);
  await Promise.all([all?.ended, casts?.ended]);
  t.deepEqual(all?.said, [Serving.SERVING, Serving.NOT_SERVING]);
  t.deepEqual(casts?.said, [Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING, Serving.NOT_SERVING]);
  t.deepEqual(unknown?.said[0], Serving.SERVICE_UNKNOWN);
});

test('a server stops at once under idle connections with keepalive', async (t) => {
  const server = await schedulerServer(t);
  const client = bareClient(t, server, { 'grpc.keepalive_time_ms': 100, 'grpc.keepalive_permit_without_calls': 1 });
  await callBare(client, HealthService.check, { service: '' });
  t.true((await elapsed(server.stop(5_000))) < 1_000);
});

test('a stopping server lets running calls end, and refuses new ones', async (t) => {
  const { reached: entered, reach: enter } = milestone();
  const { reached: released, reach: release } = milestone();
  const server = await volumesServer(t, {
    getVolume: async () => {
      enter();
      await released;
      return { volume: undefined };
    },
  });
  const client = bareClient(t, server);
  const running = callBare(client, Volumes.getVolume, { volumeId: 'v' });
  await entered;
  const stopping = server.stop(5_000);
  const late = await callBare(
    bareClient(t, server),
    Volumes.getVolume,
    { volumeId: 'v' },
    {},
    { deadline: Date.now() + 1_000 },
  );
  t.is(late.error?.code, Code.UNAVAILABLE);
  release();
  t.is((await running).error, undefined);
  await stopping;
});

test('an open stream is told that the server stops, and does not hold it', async (t) => {
  const server = await volumesServer(t, {
    watchVolumes: async (_request, { signal }) =>
      (async function* (): AsyncGenerator<WatchVolumesResponse> {
        yield { volume: undefined, resumeToken: '1' };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      })(),
  });
  const { path, requestSerialize, responseDeserialize } = Volumes.watchVolumes;
  const stream: ClientReadableStream<WatchVolumesResponse> = bareClient(t, server).makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { resumeToken: '', volumeIds: [] },
  );
  const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  await new Promise((resolve) => stream.once('data', resolve));
  t.true((await elapsed(server.stop(5_000))) < 1_000);
  t.is((await ended).code, Code.UNAVAILABLE);
});

test('a stream whose caller reads nothing does not hold the server for long', async (t) => {
  const sent = milestone();
  const server = await volumesServer(t, {
    watchVolumes: async () =>
      (async function* (): AsyncGenerator<WatchVolumesResponse> {
        for (;;) {
          yield { volume: undefined, resumeToken: ' '.repeat(MEBIBYTE / 2) };
          sent.reach();
        }
      })(),
  });
  unreadStream(t, server, Volumes.watchVolumes.path);
  await sent.reached;
  const took = await elapsed(server.stop(30_000));
  t.true(took < 15_000, `${took} ms`);
});

test('a handler that never ends is cut at the limit, and stopping twice is stopping once', async (t) => {
  const { reached, reach } = milestone();
  const server = await volumesServer(t, { getVolume: () => (reach(), new Promise(() => undefined)) });
  const running = callBare(bareClient(t, server), Volumes.getVolume, { volumeId: 'v' });
  await reached;
  const [first, second] = await Promise.all([elapsed(server.stop(200)), elapsed(server.stop(60_000))]);
  t.true(first >= 190 && first < 2_000, `${first} ms`);
  t.true(second < 2_000);
  t.is((await running).error?.code, Code.UNAVAILABLE);
});
