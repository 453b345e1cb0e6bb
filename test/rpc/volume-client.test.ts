import test, { type ExecutionContext } from 'ava';
import { Backup } from '#src/gen/cinder/objects/v1/backup.js';
import { Snapshot } from '#src/gen/cinder/objects/v1/snapshot.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { context, Installation } from '../support/rpc.js';
import { type Heard, hearing, volumeClient, volumeServer } from '../support/volume-rpc.js';

const AT = { target: 'h@b' };
const VOLUME = Volume.create({ id: 'v1', size: 1, status: 'available' });
const PAGE = { marker: new Map<string, string>(), limit: 10, offset: 0, sortKeys: ['size'], sortDirs: ['asc'] };
const IMAGE = { imageMeta: { id: 'i1' } };

/** A volume service that runs as an older version, and a client that knows. */
async function older(
  t: ExecutionContext,
  rpcVersion: string,
  answers: Readonly<Record<string, object>> = {},
): Promise<{ client: VolumeClient; heard: Heard[]; installation: Installation }> {
  const { heard, handlers, casts } = hearing(VolumeManagerService, answers);
  const server = await volumeServer(t, { rpcVersion, handlers, casts });
  const installation = new Installation();
  installation.add(server, rpcVersion, 'h@b');
  return { client: volumeClient(t, installation), heard, installation };
}

/** The one request that was heard. */
function only(t: ExecutionContext, heard: readonly Heard[]): Heard {
  t.is(heard.length, 1);
  return heard[0] as Heard;
}

test('attaching carries the volume from 3.3 on, below that its id', async (t) => {
  const how = { instanceUuid: 'server-1', hostName: undefined, mountpoint: '/dev/vdb', mode: 'rw' };
  const answers = { AttachVolume: { attachment: { id: 'a1', volumeId: 'v1', attachStatus: 'attached' } } };
  for (const [version, wire, volume] of [
    ['3.3', '3.3', VOLUME],
    ['3.2', '3.0', undefined],
  ] as const) {
    const { client, heard } = await older(t, version, answers);
    t.like(await client.attachVolume(context, VOLUME, how, AT), { id: 'a1', attachStatus: 'attached' });
    t.like(only(t, heard), { method: 'AttachVolume', version: wire, target: 'h@b' });
    t.like(heard[0]?.request, { volumeId: 'v1', instanceUuid: 'server-1', mountpoint: '/dev/vdb', mode: 'rw', volume });
  }
});

test('detaching carries the volume from 3.4 on, below that its id', async (t) => {
  for (const [version, wire, volume] of [
    ['3.4', '3.4', VOLUME],
    ['3.3', '3.0', undefined],
  ] as const) {
    const { client, heard } = await older(t, version);
    await client.detachVolume(context, VOLUME, 'a1', AT);
    t.like(only(t, heard), { method: 'DetachVolume', version: wire });
    t.like(heard[0]?.request, { volumeId: 'v1', attachmentId: 'a1', volume });
  }
});

test('a transfer says that snapshots stay behind from 3.16 on', async (t) => {
  const who = { newUser: 'u2', newProject: 'p2', noSnapshots: true };
  const answers = { AcceptTransfer: { modelUpdate: { provider_auth: 'CHAP' } } };
  for (const [version, wire, noSnapshots] of [
    ['3.16', '3.16', true],
    ['3.15', '3.0', false],
  ] as const) {
    const { client, heard } = await older(t, version, answers);
    t.deepEqual(await client.acceptTransfer(context, VOLUME, who, AT), { provider_auth: 'CHAP' });
    t.like(only(t, heard), {
      version: wire,
      request: { volumeId: 'v1', newUser: 'u2', newProject: 'p2', noSnapshots },
    });
  }
  t.is(await (await older(t, '3.20')).client.acceptTransfer(context, VOLUME, who, AT), undefined);
});

test('a backend fails over under the name its service knows', async (t) => {
  for (const [version, method, wire] of [
    ['3.20', 'Failover', '3.8'],
    ['3.8', 'Failover', '3.8'],
    ['3.7', 'FailoverHost', '3.0'],
  ] as const) {
    const { client, heard } = await older(t, version);
    await client.failover(context, { secondaryBackendId: 'b2' }, AT);
    t.like(only(t, heard), { method, version: wire, target: 'h@b', request: { secondaryBackendId: 'b2' } });
  }
});

test('a service that is older than its record fails over by the old name, at once', async (t) => {
  const { client, heard, installation } = await older(t, '3.7');
  installation.services = [{ host: 'h@b', rpcVersion: '3.20', objectVersion: '1.39', silentMs: 0 }];
  await client.failover(context, { secondaryBackendId: 'b2' }, AT);
  t.is(only(t, heard).method, 'FailoverHost');
});

test('what a backup is read from is told to the backup service from 3.17 on', async (t) => {
  const { client, heard } = await older(t, '3.17');
  t.is(await client.getBackupDevice(context, Backup.create({ id: 'b1' }), AT), undefined);
  t.like(only(t, heard), { version: '3.17', request: { wantObjects: true, asyncCall: true } });
});

test('what a backup is read from is waited for below 3.17', async (t) => {
  const device = { volume: VOLUME, snapshot: undefined, secureEnabled: true };
  const { client, heard } = await older(t, '3.16', { GetBackupDevice: { backupDeviceInfo: device } });
  t.deepEqual(await client.getBackupDevice(context, Backup.create({ id: 'b1' }), AT), device);
  t.like(only(t, heard), { version: '3.2', request: { wantObjects: true, asyncCall: false } });
});

test('what a backup is read from comes in the old form below 3.2', async (t) => {
  const record = {
    id: 's1',
    volume_id: 'v1',
    volume_size: 3,
    status: 'available',
    metadata: { a: 'b' },
    use_quota: false,
  };
  const dict = { backup_device: record, is_snapshot: true, secure_enabled: true };
  const { client, heard } = await older(t, '3.1', { GetBackupDevice: { backupDeviceDict: dict } });
  const device = await client.getBackupDevice(context, Backup.create({ id: 'b1' }), AT);
  t.deepEqual(device, {
    snapshot: Snapshot.create({
      ...{ id: 's1', volumeId: 'v1', volumeSize: 3, status: 'available', metadata: new Map([['a', 'b']]) },
      useQuota: false,
    }),
    secureEnabled: true,
  });
  t.like(only(t, heard), { version: '3.0', request: { wantObjects: false, asyncCall: false } });
});

test('the old form of a volume that a backup is read from is read as far as it goes', async (t) => {
  const dict = { backup_device: { id: 'v1', size: 3, host: 'h@b#p', bootable: true, _name_id: 'n1', ec2: 7 } };
  const { client } = await older(t, '3.0', { GetBackupDevice: { backupDeviceDict: dict } });
  const device = await client.getBackupDevice(context, Backup.create({ id: 'b1' }), AT);
  const volume = Volume.create({ id: 'v1', size: 3, host: 'h@b#p', bootable: true, nameId: 'n1' });
  t.deepEqual(device, { volume, secureEnabled: false });
});

test('what may be managed comes as objects from 3.10 on', async (t) => {
  const one = { reference: new Map([['source-name', 'lv1']]), size: 4, safeToManage: true, extraInfo: new Map() };
  const { client, heard } = await older(t, '3.10', {
    GetManageableVolumes: { manageableVolumes: [one], manageableDicts: [] },
    GetManageableSnapshots: { manageableSnapshots: [{ ...one, sourceReference: new Map() }], manageableDicts: [] },
  });
  t.like((await client.getManageableVolumes(context, PAGE, AT))[0], { size: 4, reference: one.reference });
  t.like((await client.getManageableSnapshots(context, PAGE, AT))[0], { size: 4, safeToManage: true });
  for (const { request, version } of heard) {
    t.is(version, '3.10');
    t.like(request, { wantObjects: true, limit: 10, sortKeys: ['size'], sortDirs: ['asc'] });
  }
});

test('what may be managed comes in the old form below 3.10, with all that the driver says', async (t) => {
  const dict = {
    ...{ reference: { 'source-name': 'lv1' }, size: 4, safe_to_manage: false, reason_not_safe: 'in use' },
    ...{ cinder_id: null, extra_info: { thin: true }, pool: 'p1', tier: 2 },
  };
  const { client, heard } = await older(t, '3.9', {
    GetManageableVolumes: { manageableVolumes: [], manageableDicts: [dict] },
    GetManageableSnapshots: {
      ...{ manageableSnapshots: [], manageableDicts: [{ ...dict, source_reference: { 'source-name': 'lv0' } }] },
    },
  });
  const expected = {
    ...{ reference: new Map([['source-name', 'lv1']]), size: 4, safeToManage: false, reasonNotSafe: 'in use' },
    ...{
      cinderId: undefined,
      extraInfo: new Map([
        ['pool', 'p1'],
        ['tier', '2'],
        ['thin', 'true'],
      ]),
    },
  };
  t.deepEqual(await client.getManageableVolumes(context, PAGE, AT), [expected]);
  const sourceReference = new Map([['source-name', 'lv0']]);
  t.deepEqual(await client.getManageableSnapshots(context, PAGE, AT), [{ ...expected, sourceReference }]);
  for (const { request, version } of heard)
    t.like({ request, version }, { version: '3.0', request: { wantObjects: false } });
});

test('an image is written over a volume from 3.18 on, a snapshot only from 3.20 on', async (t) => {
  const imageSnap = Snapshot.create({ id: 's1' });
  for (const [version, wire] of [
    ['3.18', '3.18'],
    ['3.20', '3.18'],
  ] as const) {
    const { client, heard } = await older(t, version);
    await client.reimage(context, { volume: VOLUME, ...IMAGE }, AT);
    t.like(only(t, heard), { method: 'Reimage', version: wire, request: { imageSnap: undefined, ...IMAGE } });
  }
  const { client, heard } = await older(t, '3.20');
  await client.reimage(context, { volume: VOLUME, ...IMAGE, imageSnap }, AT);
  t.like(only(t, heard), { version: '3.20', request: { imageSnap } });

  const before = await older(t, '3.19');
  await t.throwsAsync(before.client.reimage(context, { volume: VOLUME, ...IMAGE, imageSnap }, AT), {
    name: 'ServiceTooOld',
    message: /Reimage with image_snap.*3\.20.*3\.19/,
  });
  t.deepEqual(before.heard, [], 'the image itself would have been written');
});

test('a destination says its cluster from 3.5 on', async (t) => {
  const host = { host: 'h2@b#p', clusterName: 'c@b#p', capabilities: {} };
  for (const [version, wire, clusterName] of [
    ['3.5', '3.5', 'c@b#p'],
    ['3.4', '3.0', undefined],
  ] as const) {
    const { client, heard } = await older(t, version);
    await client.migrateVolume(context, { volume: VOLUME, host, forceHostCopy: true }, AT);
    const retype = { newTypeId: 't2', migrationPolicy: 'on-demand', reservations: [], oldReservations: [] };
    await client.retype(context, { volume: VOLUME, host, ...retype }, AT);
    t.deepEqual(
      heard.map(({ method }) => method),
      ['MigrateVolume', 'Retype'],
    );
    for (const one of heard) t.like(one, { version: wire, request: { host: { host: 'h2@b#p', clusterName } } });
  }
});

test('only the members of a cluster are told that it was failed over; below 3.8 nobody is, by an error', async (t) => {
  const { client, heard, installation } = await older(t, '3.20');
  const { heard: elsewhere, handlers } = hearing(VolumeManagerService);
  installation.add(await volumeServer(t, { handlers }), '3.20', 'h2@b');
  const [member, other] = installation.peers;
  if (!member || !other) throw new Error('there are two');
  installation.peers = [{ ...member, serves: ['h@b', 'c@b'] }, other];
  const told = await client.failoverCompleted(context, { active_backend_id: 'b2' }, { target: 'c@b' });
  t.deepEqual(told, { reached: 1, failed: [] });
  t.like(only(t, heard), { version: '3.8', target: 'c@b', request: { updates: { active_backend_id: 'b2' } } });
  t.deepEqual(elsewhere, []);

  const before = await older(t, '3.7');
  await t.throwsAsync(before.client.failoverCompleted(context, {}, AT), { name: 'ServiceTooOld' });
  t.deepEqual(before.heard, []);
});

/** Methods that a version brought, and nothing of which an older service can be asked. */
const GATED: Readonly<Record<string, (client: VolumeClient) => Promise<unknown>>> = {
  'DoCleanup 3.7': (client) => client.doCleanup(context, {}, AT),
  'AttachmentUpdate 3.9': (client) =>
    client.attachmentUpdate(context, { vref: VOLUME, connector: {}, attachmentId: 'a1' }, AT),
  'AttachmentDelete 3.9': (client) => client.attachmentDelete(context, { vref: VOLUME, attachmentId: 'a1' }, AT),
  'SetLogLevels 3.12': (client) => client.setLogLevels(context, { prefix: '', level: 'DEBUG' }, AT),
  'GetLogLevels 3.12': (client) => client.getLogLevels(context, {}, AT),
  'InitializeConnectionSnapshot 3.13': (client) =>
    client.initializeConnectionSnapshot(context, { snapshotId: 's1', connector: {} }, AT),
  'TerminateConnectionSnapshot 3.13': (client) =>
    client.terminateConnectionSnapshot(context, { snapshotId: 's1', connector: {}, force: false }, AT),
  'RemoveExportSnapshot 3.13': (client) => client.removeExportSnapshot(context, { snapshotId: 's1' }, AT),
  'EnableReplication 3.14': (client) => client.enableReplication(context, {}, AT),
  'DisableReplication 3.14': (client) => client.disableReplication(context, {}, AT),
  'FailoverReplication 3.14': (client) => client.failoverReplication(context, { allowAttachedVolume: true }, AT),
  'ListReplicationTargets 3.14': (client) => client.listReplicationTargets(context, {}, AT),
  'RevertToSnapshot 3.15': (client) =>
    client.revertToSnapshot(context, { volume: VOLUME, snapshot: Snapshot.create({ id: 's1' }) }, AT),
  'Reimage 3.18': (client) => client.reimage(context, { volume: VOLUME, ...IMAGE }, AT),
  'ExtendVolumeCompletion 3.19': (client) =>
    client.extendVolumeCompletion(context, { volume: VOLUME, newSize: 2, reservations: [], error: false }, AT),
};

for (const [what, send] of Object.entries(GATED)) {
  const [method = '', since = ''] = what.split(' ');
  const before = `3.${Number(since.slice(2)) - 1}`;
  test(`${method} is sent from ${since} on, and below refused before anything is sent, naming both versions`, async (t) => {
    const { client, heard } = await older(t, since);
    await send(client);
    t.like(only(t, heard), { method, version: since });
    const old = await older(t, before);
    const error = await t.throwsAsync(send(old.client), { name: 'ServiceTooOld' });
    for (const fact of [method, since, before]) t.true(error.message.includes(fact), error.message);
    t.deepEqual(old.heard, []);
  });
}
