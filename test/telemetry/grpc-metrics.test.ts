import { Registry } from 'prom-client';
import test from 'ava';
import { callMetrics } from '#src/telemetry/grpc-metrics.js';

test('calls are counted under the labels and codes that existing dashboards ask for', async (t) => {
  const registry = new Registry();
  const calls = callMetrics(registry, 'server', new Set(['/cinder.api.v3.Volumes/WatchVolumes']));
  const codes = ['OK', 'NOT_FOUND', 'CANCELLED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'];

  for (const code of codes) {
    calls.started('/cinder.api.v3.Volumes/GetVolume');
    calls.handled('/cinder.api.v3.Volumes/GetVolume', code, 2);
  }
  calls.started('/cinder.api.v3.Volumes/WatchVolumes');

  const text = await registry.metrics();
  const get = 'grpc_type="unary",grpc_service="cinder.api.v3.Volumes",grpc_method="GetVolume"';
  t.true(text.includes(`grpc_server_started_total{${get}} 5\n`), text);
  for (const code of ['OK', 'NotFound', 'Canceled', 'DeadlineExceeded', 'Unavailable']) {
    t.true(text.includes(`grpc_server_handled_total{${get},grpc_code="${code}"} 1\n`), code);
  }
  t.true(text.includes(`grpc_server_handling_seconds_bucket{${get},le="0.0025"} 5\n`), text);
  t.regex(text, /grpc_server_started_total\{grpc_type="server_stream",[^}]*WatchVolumes"\} 1/);
});
