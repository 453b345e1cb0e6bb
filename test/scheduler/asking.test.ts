import test, { type ExecutionContext } from 'ava';
import { createVolumeOnScheduler, createVolumeOnVolume, deleteVolumeOnVolume } from '#src/casts/cast-messages.js';
import { manageOnVolume, migrateOnVolume } from '#src/casts/volume-work-messages.js';
import { RequestSpec } from '#src/gen/cinder/objects/v1/request_spec.js';
import { Snapshot } from '#src/gen/cinder/objects/v1/snapshot.js';
import { isFault } from '#src/errors/fault.js';
import {
  CreateBackupRequest,
  CreateGroupRequest,
  CreateSnapshotRequest,
  CreateVolumeRequest,
  ManageExistingSnapshotRequest,
  MigrateVolumeRequest,
  SchedulerManagerService,
  ValidateHostCapacityRequest,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { CastMessage } from '#src/db/worker-row.js';
import type { IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import { volumeToWire } from '#src/rpc/objects-on-the-wire.js';
import { VersionedClient } from '#src/rpc/versioned-client.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { stopServices, switchService } from '#src/db/services.js';
import { CONTEXT, registered } from '../casts/rows.js';
import { clientOptions, Installation, schedulerClient, schedulerServer } from '../support/rpc.js';
import { sqliteStore } from '../support/sql.js';
import { installed, standing } from './deciding.js';

const BACKENDS = { 'h1@b': { tier: 'gold' }, 'h2@b': { tier: 'silver' } };
const sized = (size: number) => ({ volumeProperties: { size } });
const typed = (tier: string) => ({ volumeType: { extraSpecs: new Map([['tier', tier]]) }, ...sized(0) });

async function scheduler(t: ExecutionContext, backends: Readonly<Record<string, ValueMap>> = BACKENDS) {
  const store = await sqliteStore(t);
  const installation = await installed(t, store, backends);
  return { ...installation, volume: await standing(store, { status: 'available' }) };
}

/** The name of the fault that a call ends with. */
async function ending(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    return isFault(error) ? error.name : String(error);
  }
}

test('room that a backend is asked for is taken, and then it is not there any more', async (t) => {
  const { client, free } = await scheduler(t, { 'h1@b': { thick_provisioning_support: true, free_capacity_gb: 10 } });
  const ask = (backend: string, size: number) =>
    client.call(
      'ValidateHostCapacity',
      CONTEXT,
      ValidateHostCapacityRequest.fromPartial({ backend, requestSpec: sized(size) }),
    );
  t.deepEqual(await ask('h1@b', 6), { valid: true });
  t.is(free('h1@b#p'), 4);
  t.deepEqual(await ask('h1@b#p', 6), { valid: false });
  t.deepEqual(await ask('h9@b', 1), { valid: false });
  t.is(free('h1@b#p'), 4);
  t.is(await ending(ask('', 1)), 'InvalidInput');
  t.is(await ending(ask('h1@b', -2_147_483_648)), 'InvalidInput');
  t.is(free('h1@b#p'), 4, 'a size below nothing makes no room');
});

test('snapshots are decided on, and none is kept: no room is missed afterwards', async (t) => {
  const { client, volume, free } = await scheduler(t);
  const wire = volumeToWire(volume);
  const create = (request: Partial<CreateSnapshotRequest>) =>
    ending(client.call('CreateSnapshot', CONTEXT, { ...CreateSnapshotRequest.create(), ...request }));
  const snapshot = Snapshot.fromPartial({ id: 'snapshot-1' });
  t.is(await create({ volume: wire, snapshot, backend: 'h1@b#p' }), 'NotBuilt');
  t.is(await create({ volume: wire, snapshot, requestSpec: RequestSpec.fromPartial(sized(300)) }), 'NoValidBackend');
  t.is(await create({ volume: wire, snapshot, backend: 'h9@b#p' }), 'NoValidBackend');
  t.is(await create({ volume: wire }), 'InvalidInput');
  t.is(await create({ snapshot }), 'InvalidInput');
  const manage = ManageExistingSnapshotRequest.fromPartial({ volume: { ...wire, host: 'h9@b#p' }, snapshot });
  t.is(await ending(client.call('ManageExistingSnapshot', CONTEXT, manage)), 'NoValidBackend');
  t.is(await ending(client.call('ManageExistingSnapshot', CONTEXT, { ...manage, volume: wire })), 'NotBuilt');
  t.is(free('h1@b#p'), 10);
});

test('a group needs one backend for all its types, in its zone', async (t) => {
  const { client } = await scheduler(t);
  const create = (requestSpecList: readonly object[], availabilityZone?: string) => {
    const groupSpec = { volumeProperties: { size: 0, ...(availabilityZone && { availabilityZone }) } };
    const request = { group: { id: 'group-1' }, groupSpec, requestSpecList: [...requestSpecList] };
    return ending(client.call('CreateGroup', CONTEXT, CreateGroupRequest.fromPartial(request)));
  };
  t.is(await create([typed('gold'), typed('gold')]), 'NotBuilt');
  t.is(await create([typed('gold'), typed('silver')]), 'NoValidBackend');
  t.is(await create([typed('gold')], 'zone of h1@b'), 'NotBuilt');
  t.is(await create([typed('gold')], 'zone of h2@b'), 'NoValidBackend');
  t.is(await create([]), 'NoValidBackend');
  t.is(await ending(client.call('CreateGroup', CONTEXT, CreateGroupRequest.fromPartial({}))), 'InvalidInput');
});

test('a backup goes to a service of its zone, or of its volume, that says it works', async (t) => {
  const { client, volume } = await scheduler(t);
  const create = (more: object = {}) => {
    const backup = { id: 'backup-1', volumeId: volume.id, ...more };
    return ending(client.call('CreateBackup', CONTEXT, CreateBackupRequest.fromPartial({ backup })));
  };
  const report = (host: string, state: boolean, zone: string) =>
    client.updateServiceCapabilities(CONTEXT, {
      ...{ serviceName: 'backup', host, clusterName: undefined, timestamp: undefined },
      ...{ reportId: '', part: 0, partCount: 0, includedClaims: [] },
      capabilities: { backend_state: state, driver_name: 'posix', availability_zone: zone },
    });
  t.is(await create(), 'ServiceNotFound');
  t.is(await create({ host: 'keeps' }), 'NotBuilt', 'one that has a service keeps it');
  await report('b1', false, 'nova');
  t.is(await create(), 'ServiceNotFound', 'a service that does not work');
  await report('b1', true, 'elsewhere');
  t.is(await create(), 'ServiceNotFound', 'the zone of the volume is nova');
  t.is(await create({ availabilityZone: 'elsewhere' }), 'NotBuilt');
  await report('b2', true, 'nova');
  t.is(await create(), 'NotBuilt');
  t.is(await ending(client.call('CreateBackup', CONTEXT, { backup: undefined })), 'InvalidInput');
});

test('where backups stay on the host of their volume, its service has to be there, in the zone, up and enabled', async (t) => {
  const store = await sqliteStore(t);
  const { client } = await installed(t, store, BACKENDS, { backupOnSameHost: { downAfterMs: 60_000 } });
  const volume = await standing(store, { status: 'available' });
  const create = (more: object = {}) => {
    const backup = { id: 'backup-1', volumeId: volume.id, ...more };
    return ending(client.call('CreateBackup', CONTEXT, CreateBackupRequest.fromPartial({ backup })));
  };
  await client.updateServiceCapabilities(CONTEXT, {
    ...{ serviceName: 'backup', host: 'b1', clusterName: undefined, timestamp: undefined },
    ...{ reportId: '', part: 0, partCount: 0, includedClaims: [] },
    capabilities: { backend_state: true, availability_zone: 'nova' },
  });
  t.is(await create(), 'ServiceNotFound', 'one on another host will not do');
  await registered(store, 'h1', 'backup-run', 'cinder-backup');
  t.is(await create(), 'NotBuilt');
  t.is(await create({ availabilityZone: 'elsewhere' }), 'ServiceNotFound');
  t.is(await create({ host: 'keeps' }), 'NotBuilt');
  const turn = { binary: 'cinder-backup', host: 'h1', disabledReason: null };
  await switchService(store, { ...turn, disabled: true });
  t.is(await create(), 'ServiceNotFound', 'disabled');
  await switchService(store, { ...turn, disabled: false });
  t.is(await create(), 'NotBuilt');
  await store.apply([stopServices('backup-run')]);
  t.is(await create(), 'ServiceNotFound', 'stopped');
});

test('a scheduler below 3.3 is asked to migrate in its own words', async (t) => {
  const casts: IncomingCast[] = [];
  const deliver = (some: readonly IncomingCast[]) => (casts.push(...some), Promise.resolve(some.map(() => CLAIMED)));
  const installation = new Installation();
  installation.add(await schedulerServer(t, { casts: { deliver }, rpcVersion: '3.2' }), '3.2');
  const request = MigrateVolumeRequest.fromPartial({ volume: { id: 'v1' }, backend: 'h2@b', forceCopy: true });
  const message: CastMessage = {
    ...{ binary: 'cinder-scheduler', method: 'MigrateVolume', payloadVersion: '3.3' },
    payload: Buffer.from(MigrateVolumeRequest.encode(request).finish()),
  };
  const row = { resourceType: 'Volume', resourceId: 'v1', epoch: 1, target: null, message, context: CONTEXT } as const;
  t.deepEqual(await schedulerClient(t, installation).deliver([row]), [CLAIMED]);
  t.like(casts[0], { method: 'MigrateVolumeToHost', version: '3.0' });
  const read = SchedulerManagerService.migrateVolumeToHost.requestDeserialize(casts[0]?.args ?? Buffer.alloc(0));
  t.like(read, { host: 'h2@b', forceHostCopy: true, volume: { id: 'v1' } });
});

test('a row says the lowest version that understands it, as the rules do', async (t) => {
  const { volume } = await scheduler(t);
  const options = clientOptions(new Installation());
  const scheduling = new VersionedClient(SchedulerManagerService, options);
  const working = new VersionedClient(VolumeManagerService, options);
  t.teardown(() => {
    scheduling.close();
    working.close();
  });
  const filterProperties = { schedulerHints: new Map<string, string>() };
  const requestSpec = (backupId?: string) => ({
    ...{ volumeProperties: { sizeGib: 1, metadata: new Map(), qosSpecs: new Map(), multiattach: false } },
    ...{ availabilityZones: [], ...(backupId && { backupId }) },
  });
  const migrate = { volume, filterProperties, backend: 'h2@b', forceCopy: false };
  const pool = (clusterName: string | null) => ({ host: 'h2@b#p', clusterName, capabilities: {} });
  const messages: readonly CastMessage[] = [
    createVolumeOnScheduler({ volume, filterProperties }),
    createVolumeOnScheduler({ volume, filterProperties, requestSpec: requestSpec('backup-1') }),
    createVolumeOnVolume({ volume, filterProperties, allowReschedule: true }),
    deleteVolumeOnVolume({ volume, unmanageOnly: true, cascade: true }),
    migrateOnVolume(migrate, pool(null)),
    migrateOnVolume(migrate, pool('c@b#p')),
    manageOnVolume(volume, new Map()),
  ];
  for (const { binary, method, payload, payloadVersion } of messages) {
    const key = (method.charAt(0).toLowerCase() + method.slice(1)) as 'createVolume';
    const prepared =
      binary === 'cinder-volume'
        ? await working.prepare(method as 'CreateVolume', VolumeManagerService[key].requestDeserialize(payload))
        : await scheduling.prepare(method as 'CreateVolume', CreateVolumeRequest.decode(payload));
    t.is(payloadVersion, prepared.version, method);
  }
  t.deepEqual([...new Set(messages.map(({ payloadVersion }) => payloadVersion))], ['3.0', '3.10', '3.5']);
});
