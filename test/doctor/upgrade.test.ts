import test from 'ava';
import type { ServiceRecord } from '#src/db/services.js';
import { type UpgradeFacts, upgradeReport } from '#src/doctor/upgrade.js';
import { VersionCap } from '#src/rpc/version-cap.js';
import { versionOf } from '#src/rpc/version-number.js';
import { rules } from '../support/rpc.js';

const DOWN_MS = 60_000;
const TTL_MS = 86_400_000;

/** A registered service. */
function service(binary: string, host: string, rpcVersion: string, more: Partial<ServiceRecord> = {}): ServiceRecord {
  return {
    ...{ id: host, binary, host, rpcVersion, objectVersion: '1.39', clusterName: null, availabilityZone: 'nova' },
    ...{ incarnation: host, disabled: false, disabledReason: null, frozen: false, replicationStatus: 'not-capable' },
    ...{ activeBackendId: null, heartbeatAt: 1, silentMs: 0, stopped: false, ...more },
  };
}

const scheduler = (host: string, version = '3.12', more: Partial<ServiceRecord> = {}): ServiceRecord =>
  service('cinder-scheduler', host, version, more);
const volume = (host: string, version = '3.20', more: Partial<ServiceRecord> = {}): ServiceRecord =>
  service('cinder-volume', host, version, more);

/** An installation of these services, in good order but for `more`. */
async function reportOf(services: readonly ServiceRecord[], more: Partial<UpgradeFacts> = {}) {
  const binaries = await Promise.all(
    [...rules.internal.values()].map(async (api) => {
      const cap = new VersionCap({
        binary: api.binary,
        registry: { versionsOf: async (binary) => services.filter((each) => each.binary === binary && !each.stopped) },
        own: { rpc: api.version, objects: versionOf('1.39') },
        oldest: { rpc: api.baseline, objects: versionOf('1.38') },
        serviceTtlMs: TTL_MS,
      });
      return { api, explanation: await cap.explain() };
    }),
  );
  const schema = { version: 4, compatibleFrom: 1 };
  const { checks, order } = upgradeReport({
    ...{ schema, ownSchema: schema, binaries, services, apiHosts: ['api1'], work: [], oldestSettlementMs: 0 },
    ...{ pins: {}, runsAs: {}, downAfterMs: DOWN_MS, serviceTtlMs: TTL_MS, flowDeadlineMs: 30_000, ...more },
  });
  const bad = checks.filter(({ result }) => result !== 'Success');
  return { checks, order, bad: bad.map(({ check, result, details }) => `${result}: ${check}: ${details}`) };
}

const OLD = [scheduler('s1', '3.9'), scheduler('s2', '3.9'), volume('v1@b', '3.15'), volume('v2@b', '3.15')];

test('an installation in good order may be upgraded: schema, schedulers, volume services, API, and then the pins', async (t) => {
  const { bad, order, checks } = await reportOf(OLD, { ownSchema: { version: 5, compatibleFrom: 1 } });
  t.deepEqual(bad, []);
  t.is(checks[0]?.details, 'It is 4; this program has 5, and those of before go on with that.');
  t.deepEqual(
    checks.map(({ check }) => check),
    [
      ...['Database schema', 'Services are up', 'Versions of services', 'Versions of services', 'Unfinished work'],
      ...['Changes of quota', 'Pins and older versions'],
    ],
  );
  t.deepEqual(order, [
    'Run `cinder-grpc db migrate` of the new program: schema 4 to 5. The old ones go on with it.',
    'Replace the schedulers, one at a time: s1 (3.9), s2 (3.9).',
    'Replace the volume services, one at a time: v1@b (3.15), v2@b (3.15).',
    'Replace the API processes, one at a time: api1.',
    'Remove rpc_pins, send SIGHUP, and see with `cinder-grpc service versions` that nobody is held down.',
  ]);
});

test('where nothing is older, there is nothing to do', async (t) => {
  const { bad, order } = await reportOf([scheduler('s1'), volume('v1@b')]);
  t.deepEqual([bad, order], [[], []]);
});

test('of an upgrade under way it is said that it must be finished first, and what is left of it', async (t) => {
  const { bad, order } = await reportOf([scheduler('s1'), volume('v1@b'), volume('v2@b', '3.15')]);
  t.deepEqual(bad, [
    'Warning: Versions of services: The services of cinder-volume are of 2 versions (3.20, objects 1.39; 3.15, objects 1.39): finish the upgrade under way first.',
  ]);
  t.is(order[0], 'Replace the volume services, one at a time: v2@b (3.15).');
});

/** What an upgrade must not begin over, and what it is better to know before it does. */
const TROUBLE: Record<
  string,
  readonly [services: readonly ServiceRecord[], more: Partial<UpgradeFacts>, said: RegExp]
> = {
  'a database without a schema': [OLD, { schema: undefined }, /^Failure: Database schema: .*db migrate/],
  'a schema of a newer program': [
    OLD,
    { schema: { version: 9, compatibleFrom: 8 } },
    /^Failure: Database schema: .*newer program/,
  ],
  'a step that contracts what the running programs still use': [
    OLD,
    { ownSchema: { version: 6, compatibleFrom: 5 } },
    /^Failure: Database schema: .*release in between/,
  ],
  'a service of a newer version': [
    [volume('v1@b', '3.21')],
    {},
    /^Failure: Versions of services: .*v1@b speaks 3\.21.*newest/,
  ],
  'a service of another major version': [
    [scheduler('s1', '2.3')],
    {},
    /^Failure: Versions.*s1 speaks 2\.3.*back to 3\.0/,
  ],
  'a service whose objects are newer, though its RPC is not': [
    [volume('v1@b', '3.20', { objectVersion: '1.40' })],
    {},
    /^Failure: Versions of services: .*v1@b speaks 3\.20 \(objects 1\.40\), which is newer.*newest/,
  ],
  'a service whose objects are older than any that this program can say': [
    [volume('v1@b', '3.20', { objectVersion: '1.37' })],
    {},
    /^Failure: Versions of services: .*v1@b speaks 3\.20 \(objects 1\.37\); this .*\(objects 1\.38\)/,
  ],
  'a service whose record holds no version': [
    [scheduler('s1', 'three')],
    {},
    /^Failure: Versions.*holds no version \('three', '1\.39'\)/,
  ],
  'a service that is down, and for how long it still counts': [
    [scheduler('s1'), volume('v1@b', '3.20', { silentMs: 3_600_000 })],
    {},
    /^Warning: Services are up: cinder-volume at v1@b was silent for 60 min\. It holds versions down for another 23 h/,
  ],
  'a service that died long ago': [
    [volume('v1@b', '3.1', { silentMs: TTL_MS + 3_600_000 })],
    {},
    /^Warning: Services are up: .*silent for 25 h: it holds nobody down any more/,
  ],
  'an installation without an API': [OLD, { apiHosts: [] }, /^Warning: Services are up: No API process lives/],
  'work of a method that the new program does not know': [
    OLD,
    { work: [{ binary: 'cinder-volume', method: 'FlyVolume', payloadVersion: '3.0', count: 2, oldestMs: 1 }] },
    /^Failure: Unfinished work: 2 × cinder-volume FlyVolume 3\.0/,
  ],
  'work whose payload is of another major version': [
    OLD,
    { work: [{ binary: 'cinder-volume', method: 'CreateVolume', payloadVersion: '2.4', count: 1, oldestMs: 1 }] },
    /^Failure: Unfinished work: 1 × cinder-volume CreateVolume 2\.4/,
  ],
  'work that is stuck': [
    OLD,
    {
      work: [{ binary: 'cinder-volume', method: 'DeleteVolume', payloadVersion: '3.0', count: 1, oldestMs: 7_300_000 }],
    },
    /^Warning: Unfinished work: .*waited for 2 h/,
  ],
  'quota that is not settled': [OLD, { oldestSettlementMs: 150_000 }, /^Warning: Changes of quota: .*3 min/],
  'a pin that is left over': [
    OLD,
    { pins: { 'cinder-volume': '3.15' } },
    /^Warning: Pins.*holds cinder-volume at 3\.15.*speaks 3\.20/,
  ],
  'a new program that would run as an old one': [
    OLD,
    { runsAs: { 'cinder-volume': '3.15' } },
    /^Warning: Pins.*run as cinder-volume 3\.15/,
  ],
};

for (const [what, [services, more, said]] of Object.entries(TROUBLE)) {
  test(`it is said of ${what}`, async (t) => {
    const { bad } = await reportOf(services, more);
    t.is(bad.length, 1, bad.join('\n'));
    t.regex(bad[0] ?? '', said);
  });
}

test('a service that was stopped in good order is no trouble', async (t) => {
  const stopped = volume('v9@b', '3.1', { stopped: true, silentMs: 3_600_000 });
  t.deepEqual((await reportOf([scheduler('s1'), volume('v1@b'), stopped])).bad, []);
});

test('unfinished work that the new program can go on with is counted', async (t) => {
  const form = { binary: 'cinder-volume', method: 'CreateVolume', payloadVersion: '3.0', oldestMs: 1 };
  const { checks } = await reportOf(OLD, {
    work: [
      { ...form, count: 3 },
      { ...form, method: 'DeleteVolume', count: 4 },
    ],
  });
  t.is(checks.find(({ check }) => check === 'Unfinished work')?.details, '7 in all; this program can go on with each.');
});
