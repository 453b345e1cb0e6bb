import test, { type ExecutionContext } from 'ava';
import { Backup } from '#src/gen/cinder/objects/v1/backup.js';
import { Snapshot } from '#src/gen/cinder/objects/v1/snapshot.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { context, Installation, schedulerClient, schedulerServer } from '../support/rpc.js';
import { type Heard, hearing } from '../support/volume-rpc.js';

const VOLUME = Volume.create({ id: 'v1', size: 1, status: 'available' });
const SNAPSHOT = Snapshot.create({ id: 's1', volumeId: 'v1' });
const REPORT = {
  ...{ serviceName: 'volume', host: 'h@b', capabilities: { free: 1 }, clusterName: 'c@b', timestamp: new Date(1_000) },
  ...{ reportId: '', part: 0, partCount: 0, includedClaims: [] },
};

/** A scheduler that runs as an older version, and a client that knows. */
async function older(
  t: ExecutionContext,
  rpcVersion: string,
): Promise<{ client: SchedulerClient; heard: Heard[]; installation: Installation }> {
  const { heard, handlers, casts } = hearing(SchedulerManagerService);
  const installation = new Installation();
  installation.add(await schedulerServer(t, { rpcVersion, handlers, casts }), rpcVersion, 'h1');
  return { client: schedulerClient(t, installation), heard, installation };
}

test('a volume is migrated under the name and in the words its scheduler knows', async (t) => {
  const request = { volume: VOLUME, backend: 'h2@b', forceCopy: true };
  const now = await older(t, '3.3');
  await now.client.migrateVolume(context, request);
  t.like(now.heard[0], { method: 'MigrateVolume', version: '3.3', request: { backend: 'h2@b', forceCopy: true } });
  const before = await older(t, '3.2');
  await before.client.migrateVolume(context, request);
  t.like(before.heard[0], {
    ...{ method: 'MigrateVolumeToHost', version: '3.0', request: { host: 'h2@b', forceHostCopy: true } },
  });
});

test('a scheduler that is older than its record gets a migration in the old words, at once', async (t) => {
  const { client, heard, installation } = await older(t, '3.2');
  installation.services = [{ host: 'h1', rpcVersion: '3.12', objectVersion: '1.39', silentMs: 0 }];
  await client.migrateVolume(context, { volume: VOLUME, backend: 'h2@b', forceCopy: false });
  t.deepEqual(
    heard.map(({ method }) => method),
    ['MigrateVolumeToHost'],
  );
});

test('a report says its cluster and its time from 3.3 on', async (t) => {
  for (const [version, wire, expected] of [
    ['3.3', '3.3', { clusterName: 'c@b', timestamp: REPORT.timestamp }],
    ['3.2', '3.0', { clusterName: undefined, timestamp: undefined }],
  ] as const) {
    const { client, heard } = await older(t, version);
    t.is((await client.updateServiceCapabilities(context, REPORT)).reached, 1);
    t.like(heard[0], { version: wire, request: { host: 'h@b', capabilities: { free: 1 }, ...expected } });
  }
});

test('a notice names its backend and its time from 3.5 on, its host before', async (t) => {
  const notice = { serviceName: 'volume', backend: 'h@b', capabilities: { free: 1 }, timestamp: new Date(1_000) };
  for (const [version, wire, expected] of [
    ['3.5', '3.5', { backend: 'h@b', host: undefined, timestamp: notice.timestamp }],
    ['3.4', '3.1', { backend: undefined, host: 'h@b', timestamp: undefined }],
  ] as const) {
    const { client, heard } = await older(t, version);
    await client.notifyServiceCapabilities(context, notice);
    t.like(heard[0], { version: wire, request: { serviceName: 'volume', ...expected } });
  }
});

test('the backup a volume is restored from is named from 3.10 on', async (t) => {
  for (const [version, wire, backupId] of [
    ['3.10', '3.10', 'b1'],
    ['3.9', '3.0', undefined],
  ] as const) {
    const { client, heard } = await older(t, version);
    await client.createVolume(context, { volume: VOLUME, backupId: 'b1' });
    t.like(heard[0], { version: wire, request: { backupId } });
  }
});

test('the levels of a log are asked of the scheduler of one host', async (t) => {
  const { client, heard, installation } = await older(t, '3.12');
  const { heard: elsewhere, handlers } = hearing(SchedulerManagerService);
  installation.add(await schedulerServer(t, { handlers }), '3.12', 'h2');
  await client.setLogLevels(context, { level: 'DEBUG' }, { target: 'h1' });
  t.deepEqual(await client.getLogLevels(context, {}, { target: 'h1' }), []);
  t.deepEqual(
    heard.map(({ method, target }) => [method, target]),
    [
      ['SetLogLevels', 'h1'],
      ['GetLogLevels', 'h1'],
    ],
  );
  t.deepEqual(elsewhere, []);
});

/** Methods that a version brought, and nothing of which an older scheduler can be asked. */
const GATED: Readonly<Record<string, (client: SchedulerClient) => Promise<unknown>>> = {
  'NotifyServiceCapabilities 3.1': (client) =>
    client.notifyServiceCapabilities(context, { ...REPORT, backend: 'h@b', timestamp: new Date() }),
  'ExtendVolume 3.2': (client) => client.extendVolume(context, { volume: VOLUME, newSize: 2, reservations: [] }),
  'WorkCleanup 3.4': (client) => client.workCleanup(context, {}),
  'DoCleanup 3.4': (client) => client.doCleanup(context, {}),
  'SetLogLevels 3.7': (client) => client.setLogLevels(context, { level: 'INFO' }, { target: 'h1' }),
  'GetLogLevels 3.7': (client) => client.getLogLevels(context, {}, { target: 'h1' }),
  'ValidateHostCapacity 3.8': (client) => client.validateHostCapacity(context, { backend: 'h@b' }),
  'CreateSnapshot 3.9': (client) =>
    client.createSnapshot(context, { volume: VOLUME, snapshot: SNAPSHOT, backend: 'h@b#p' }),
  'ManageExistingSnapshot 3.11': (client) =>
    client.manageExistingSnapshot(context, { volume: VOLUME, snapshot: SNAPSHOT, ref: new Map() }),
  'CreateBackup 3.12': (client) => client.createBackup(context, { backup: Backup.create({ id: 'b1' }) }),
};

for (const [what, send] of Object.entries(GATED)) {
  const [method = '', since = ''] = what.split(' ');
  const before = `3.${Number(since.slice(2)) - 1}`;
  test(`${method} is sent from ${since} on, and below refused before anything is sent, naming both versions`, async (t) => {
    const { client, heard } = await older(t, since);
    await send(client);
    t.like(heard[0], { method, version: since });
    const old = await older(t, before);
    const error = await t.throwsAsync(send(old.client), { name: 'ServiceTooOld' });
    for (const fact of [method, since, before]) t.true(error.message.includes(fact), error.message);
    t.deepEqual(old.heard, []);
  });
}
