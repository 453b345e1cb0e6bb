import { createRequire } from 'node:module';
import test from 'ava';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { loadConfig } from '#src/config/load.js';
import { startTelemetry } from '#src/main/telemetry.js';
import '#src/main/serve.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import { answered, callerFor } from '../support/api.js';
import { installationFor, until } from '../support/installation.js';
import { collectorFor, type SeenSpan } from '../support/otlp.js';
import { recordingLog } from '../support/redis.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

/** Names of the spans from the outermost to this one. */
function way(spans: readonly SeenSpan[], span: SeenSpan): readonly string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentId);
  return [...(parent ? way(spans, parent) : [span.parentId]), span.name];
}

test('one trace leads from a request through the scheduler to the driver, each step part of the one that caused it', async (t) => {
  const { endpoint, spans } = await collectorFor(t);
  const installation = await installationFor(t, { CINDER_OTLP_ENDPOINT: endpoint, CINDER_LOG_LEVEL: 'debug' });
  const call = callerFor(t, installation, 'demo');

  const { volume } = answered(
    await call(VolumesService.createVolume, CreateVolumeRequest.create({ size: 1 }), {
      traceparent: `00-${TRACE}-${CALLER}-01`,
      'x-openstack-request-id': 'req-traced',
    }),
  );
  await installation.client('demo').available(volume?.id ?? '');
  const ours = await until(async () => {
    const found = spans.filter(({ traceId }) => traceId === TRACE);
    return found.some(({ name }) => name === 'volume_create_manager') &&
      found.filter(({ name }) => name === 'process CreateVolume').length === 2
      ? found
      : undefined;
  }, 'the spans of the whole way');

  const rpc = 'cinder.api.v3.Volumes/CreateVolume';
  const toScheduler = [CALLER, rpc, 'send CreateVolume', 'process CreateVolume'];
  const toVolume = [...toScheduler, 'send CreateVolume', 'process CreateVolume'];
  const ways = ours.map((span) => way(ours, span).join(' > '));
  for (const expected of [
    [CALLER, rpc],
    [CALLER, rpc, 'volume_create_api', 'QuotaReserve'],
    [CALLER, rpc, 'volume_create_api', 'EntryCreate'],
    toScheduler,
    [...toScheduler, 'volume_create_scheduler', 'ScheduleCreateVolume'],
    toVolume,
    [...toVolume, 'volume_create_manager', 'CreateVolumeFromSpec'],
  ]) {
    t.is(
      ways.filter((one) => one === expected.join(' > ')).length,
      1,
      `${expected.join(' > ')}\nin\n${ways.join('\n')}`,
    );
  }
  const kinds = new Map(ours.map(({ name, kind }) => [name, kind]));
  t.deepEqual(
    [rpc, 'send CreateVolume', 'process CreateVolume'].map((name) => kinds.get(name)),
    [2, 4, 5],
  );
  t.true(
    ours.every(
      ({ name, attributes }) => !/^(send|process)/.test(name) || attributes['cinder.request_id'] === 'req-traced',
    ),
  );
  t.regex(installation.process.stderr(), new RegExp(`"flow":"volume_create_manager".*"traceId":"${TRACE}"`));
});

test('a caller that does not record is not recorded, and one without a trace begins one', async (t) => {
  const { endpoint, spans } = await collectorFor(t);
  const installation = await installationFor(t, { CINDER_OTLP_ENDPOINT: endpoint });
  const call = callerFor(t, installation, 'demo');

  await call(VolumesService.getVolume, { volumeId: 'a' }, { traceparent: `00-${TRACE}-${CALLER}-00` });
  await call(VolumesService.getVolume, { volumeId: 'b' }, { traceparent: 'nonsense' });
  await installation.stop();

  const calls = spans.filter(({ name }) => name === 'cinder.api.v3.Volumes/GetVolume');
  t.is(calls.length, 1, 'the last spans are sent before the process ends');
  t.is(calls[0]?.parentId, '');
  t.not(calls[0]?.traceId, TRACE);
});

test('a collector that is away costs a line in the log, and nothing else', async (t) => {
  const { endpoint } = await collectorFor(t);
  const away = endpoint.replace(/\d+$/, '1');
  const installation = await installationFor(t, { CINDER_OTLP_ENDPOINT: away });

  const client = installation.client();
  await client.available((await client.create()).id);

  await installation.process.wrote(/"message":"traces are lost: they cannot be sent"/);
  t.is(await installation.stop(), 0);
});

test('OpenTelemetry is not loaded where traces are off', async (t) => {
  // prom-client loads the bare API, which does nothing
  const loaded = (): readonly string[] =>
    Object.keys(createRequire(import.meta.url).cache).filter((path) =>
      /@opentelemetry\/(sdk|exporter|otlp|resources)/.test(path),
    );
  const start = async (environment: Record<string, string>): Promise<void> => {
    const { config } = loadConfig({
      environment: { CINDER_METRICS_LISTEN: 'off', ...environment },
      hostname: 'node1',
      home: '/nonexistent',
    });
    const telemetry = await startTelemetry(config, recordingLog(), { descriptors: readDescriptors() });
    await telemetry.close();
  };

  await start({});
  t.deepEqual(loaded(), []);
  await start({ CINDER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  t.true(loaded().length > 0, 'it would have been seen');
});
