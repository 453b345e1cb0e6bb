import test from 'ava';
import { loadConfig } from '#src/config/load.js';
import type { Config } from '#src/config/schema.js';
import { objectVersionOf, pinFor, requireVersions, sayOfPin, versionLog } from '#src/main/versions.js';
import { Cap } from '#src/rpc/version-cap.js';
import { formatVersion, versionOf } from '#src/rpc/version-number.js';
import { internalApiOf } from '#src/rpc/versions.js';
import { recordingLog } from '../support/redis.js';
import { rules } from '../support/rpc.js';

const configWith = (environment: Record<string, string>): Config =>
  loadConfig({ environment, hostname: 'node1', home: '/nonexistent' }).config;
const scheduler = internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager');

const refused = test.macro({
  exec: (t, environment: Record<string, string>, message: string) => {
    t.throws(() => requireVersions(rules, configWith(environment)), { message });
  },
  title: (_, environment: Record<string, string>) =>
    `a process does not start with ${Object.entries(environment).flat().join('=')}`,
});
test(
  refused,
  { CINDER_RPC_VERSION: 'cinder-scheduler=3.999' },
  'cinder-scheduler cannot run as 3.999: it knows 3.0 to 3.12',
);
test(refused, { CINDER_RPC_VERSION: 'cinder-volume=2.4' }, 'cinder-volume cannot run as 2.4: it knows 3.0 to 3.20');
test(refused, { CINDER_OBJECT_VERSION: '1.99' }, 'no object version 1.99 is known: only 1.38, 1.39');
test(
  refused,
  { CINDER_RPC_PINS: 'cinder-volume=4.0' },
  'rpc_pins cannot hold cinder-volume at 4.0: versions are 3.0 to 3.20',
);
test(
  refused,
  { CINDER_RPC_PINS: 'cinder-scheduler=2.3' },
  'rpc_pins cannot hold cinder-scheduler at 2.3: versions are 3.0 to 3.12',
);

test('objects are known as by the release that the versions came with, unless another is said', (t) => {
  const known = (environment: Record<string, string>): string =>
    formatVersion(objectVersionOf(configWith(environment)));
  t.is(known({}), '1.39');
  t.is(known({ CINDER_RPC_VERSION: 'cinder-volume=3.18' }), '1.39');
  t.is(known({ CINDER_RPC_VERSION: 'cinder-volume=3.17' }), '1.38');
  t.is(known({ CINDER_RPC_VERSION: 'cinder-scheduler=3.9,cinder-volume=3.20' }), '1.38');
  t.is(known({ CINDER_RPC_VERSION: 'cinder-scheduler=3.9', CINDER_OBJECT_VERSION: '1.39' }), '1.39');
});

test('a pin above one’s own version lowers nothing, and the log says so; one at or below it is no news', (t) => {
  const log = recordingLog();
  const client = { api: scheduler, own: new Cap({ rpc: versionOf('3.9'), objects: versionOf('1.38') }) };
  const pinned = (pin: string): Config => configWith({ CINDER_RPC_PINS: `cinder-scheduler=${pin}` });
  t.is(pinFor(scheduler, '3.40'), '3.40');
  requireVersions(rules, pinned('3.40'));
  for (const pin of ['3.9', '3.0']) sayOfPin(log, client, pinned(pin));
  t.deepEqual(log.lines, []);
  sayOfPin(log, client, pinned('3.10'));
  t.like(log.lines, [{ level: 'warn', fields: { binary: 'cinder-scheduler', pin: '3.10', own: '3.9' } }]);
});

test('what every message of an upgrade would say again is said sparingly', (t) => {
  const log = recordingLog();
  const told = versionLog(log);
  const cap = new Cap({ rpc: versionOf('3.9'), objects: versionOf('1.38') });
  const odd = { host: 'h', rpcVersion: 'three', objectVersion: '1.39', silentMs: 0 };
  for (let times = 0; times < 3; times++) {
    told.onDropped?.('CreateVolume', ['cinder.objects.v1.Volume.use_quota'], cap);
    told.onUnreadable?.('cinder-volume', odd);
  }
  t.like(
    log.lines.map(({ level, fields }) => ({ level, fields })),
    [
      { level: 'warn', fields: { method: 'CreateVolume', cap: '3.9 (objects 1.38)', count: 1 } },
      { level: 'error', fields: { binary: 'cinder-volume', host: 'h', rpcVersion: 'three' } },
    ],
  );
});
