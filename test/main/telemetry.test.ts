import { createServer, type AddressInfo } from 'node:net';
import test from 'ava';
import { loadConfig } from '#src/config/load.js';
import type { Config } from '#src/config/schema.js';
import { requestLog } from '#src/main/request-log.js';
import { startTelemetry } from '#src/main/telemetry.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import { recordingLog } from '../support/redis.js';

const descriptors = readDescriptors();
const configWith = (metricsListen: string): Config =>
  loadConfig({ environment: { CINDER_METRICS_LISTEN: metricsListen }, hostname: 'node1', home: '/nonexistent' }).config;

test('an address that was chosen and is taken is an error that names the option', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;

  const error = await t.throwsAsync(startTelemetry(configWith(taken), recordingLog(), { descriptors }));

  t.regex(error.message, new RegExp(`metrics_listen: ${taken}.*EADDRINUSE.*off`));
});

test('two processes that chose no address both run; at most one of them shows its metrics', async (t) => {
  const log = recordingLog();
  const both = [
    await startTelemetry(configWith(''), log, { descriptors }),
    await startTelemetry(configWith(''), log, { descriptors }),
  ];
  t.teardown(async () => {
    for (const one of both) await one.close();
  });

  t.true(both.filter(({ address }) => address !== undefined).length <= 1);
  t.true(log.lines.some(({ level, fields }) => level === 'error' && /metrics_listen/.test(String(fields?.['reason']))));
});

test('`off` listens nowhere', async (t) => {
  const telemetry = await startTelemetry(configWith('off'), recordingLog(), { descriptors });
  t.teardown(() => telemetry.close());

  t.is(telemetry.address, undefined);
});

test('a request that changes something, or that we could not do, is a line at info; a reader is one at debug', (t) => {
  const log = recordingLog();
  const logged = requestLog(log, new Set(['/cinder.api.v3.Volumes/GetVolume']));
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const who = { requestId: 'req-1', projectId: 'demo' };
  const caller = { ...who, traceparent: `00-${traceId}-b7ad6b7169203331-01` };

  logged('/cinder.api.v3.Volumes/GetVolume', 'NOT_FOUND', 1.26, caller);
  logged('/cinder.api.v3.Volumes/GetVolume', 'UNAVAILABLE', 1, caller);
  logged('/cinder.api.v3.Volumes/CreateVolume', 'OK', 12, caller);

  t.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields?.code]),
    [
      ['debug', 'NOT_FOUND'],
      ['info', 'UNAVAILABLE'],
      ['info', 'OK'],
    ],
  );
  t.deepEqual(log.lines[0]?.fields, {
    method: 'cinder.api.v3.Volumes/GetVolume',
    code: 'NOT_FOUND',
    durationMs: 1.3,
    ...who,
    traceId,
  });
});
