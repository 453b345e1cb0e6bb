import { randomUUID } from 'node:crypto';
import { Metadata, type ServiceClientConstructor, type ServiceError, status as Code } from '@grpc/grpc-js';
import { ChannelCredentials } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '#src/errors/fault.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { CreateVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { OutgoingCast } from '#src/rpc/cast-client.js';
import type { IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { peersIn, registryIn } from '#src/rpc/discovery.js';
import { Presence } from '#src/rpc/presence.js';
import { versionOf } from '#src/rpc/version-number.js';
import type { VersionedClientOptions } from '#src/rpc/versioned-client.js';
import { type OldArrival, oldServer, oldService } from '../support/old-peers.js';
import { context, MEBIBYTE, rules, schedulerServer } from '../support/rpc.js';
import { sqliteStore } from '../support/sql.js';

const SCHEDULER = 'cinder.scheduler.v3.SchedulerManager';
const VOLUME = 'cinder.volume.v3.VolumeManager';
const NEW_VOLUME = Volume.create({
  ...{ id: randomUUID(), projectId: 'p', userId: 'u', size: 1, status: 'creating', metadata: new Map([['a', 'b']]) },
  useQuota: true,
});

/** An old server in an installation's records, as it would have registered itself; and clients of the product beside it. */
async function installed(
  t: ExecutionContext,
  service: string,
  versions: string,
  objects: string,
): Promise<{
  arrivals: OldArrival[];
  options: VersionedClientOptions;
  upgrade: (rpcVersion: string) => Promise<void>;
}> {
  const [binary = '', rpcVersion = ''] = versions.split('=');
  const arrivals: OldArrival[] = [];
  const old = await oldServer(await oldService(t, versions, service), versionOf(rpcVersion), (arrival) =>
    arrivals.push(arrival),
  );
  t.teardown(old.stop);
  const store = await sqliteStore(t);
  const register = async (version: string): Promise<void> => {
    const incarnation = randomUUID();
    const presence = new Presence({
      store,
      process: {
        incarnation,
        binary,
        host: 'node1',
        endpoint: old.address,
        rpcVersion: version,
        objectVersion: objects,
      },
      services: [{ host: service === VOLUME ? 'node1@file' : 'node1', clusterName: null, availabilityZone: 'nova' }],
      newId: randomUUID,
    });
    await presence.start();
    t.teardown(() => presence.stop());
  };
  await register(rpcVersion);
  const options = {
    rules,
    registry: registryIn(store),
    readPeers: peersIn(store, { downAfterMs: 60_000 }),
    maxMessageBytes: MEBIBYTE,
    capMaxAgeMs: 600_000,
  };
  return { arrivals, options, upgrade: register };
}

test('a scheduler made of the protos of 3.9 gets what it knows, in the version that it understands', async (t) => {
  const { arrivals, options } = await installed(t, SCHEDULER, 'cinder-scheduler=3.9', '1.38');
  const client = new SchedulerClient(options);
  t.teardown(() => client.close());
  await client.createVolume(context, { volume: NEW_VOLUME, backupId: 'backup', snapshotId: 'snapshot' });
  t.like(arrivals[0], { method: 'CreateVolume', version: '3.0', requestId: context.requestId });
  t.like(arrivals[0]?.request, { snapshot_id: 'snapshot', volume: { size: 1, metadata: { a: 'b' } } });
  t.notRegex(JSON.stringify(arrivals[0]?.request), /use_quota|backup/);
  const error = await t.throwsAsync(client.createBackup(context, { backup: undefined }));
  t.true(Fault.is(error, 'ServiceTooOld'));
  t.is(arrivals.length, 1);
});

test('a volume service made of the protos of 3.4 is failed over and asked in the words of its time', async (t) => {
  const { arrivals, options } = await installed(t, VOLUME, 'cinder-volume=3.4', '1.38');
  const client = new VolumeClient(options);
  t.teardown(() => client.close());
  const target = 'node1@file';
  await client.failover(context, { secondaryBackendId: 'other' }, { target });
  await client.getManageableVolumes(
    context,
    { marker: new Map(), limit: 10, offset: 0, sortKeys: [], sortDirs: [] },
    { target },
  );
  t.deepEqual(
    arrivals.map(({ method, version }) => `${method} ${version}`),
    ['FailoverHost 3.0', 'GetManageableVolumes 3.0'],
  );
  t.is(arrivals[0]?.request['secondary_backend_id'], 'other');
});

test('a peer that is older than its record says is refused in the old words once, and no more', async (t) => {
  const { arrivals, options, upgrade } = await installed(t, SCHEDULER, 'cinder-scheduler=3.2', '1.38');
  await upgrade('3.12');
  let sent = 0;
  const observer = { started: () => (sent += 1), handled: () => undefined };
  const client = new SchedulerClient({ ...options, observer });
  t.teardown(() => client.close());
  const error = await t.throwsAsync(client.migrateVolume(context, MIGRATION));
  t.true(Fault.is(error, 'NoSuchMethod'), String(error));
  t.is(sent, 1, 'the records go on saying 3.12: there is no other form to try');
  t.is(arrivals.length, 0);
});

test('the records are right again: a bare refusal makes the client look, and say it in the old words', async (t) => {
  const { arrivals, options, upgrade } = await installed(t, SCHEDULER, 'cinder-scheduler=3.2', '1.38');
  await upgrade('3.12');
  const client = new SchedulerClient(options);
  t.teardown(() => client.close());
  t.is((await client.cap()).rpc.minor, 12);
  await upgrade('3.2');
  await client.migrateVolume(context, MIGRATION);
  t.like(arrivals[0], { method: 'MigrateVolumeToHost', version: '3.0' });
  t.like(arrivals[0]?.request, { host: 'node2@file', force_host_copy: true });
});

test('durable casts reach a process that knows no way to hand over many', async (t) => {
  const { arrivals, options } = await installed(t, SCHEDULER, 'cinder-scheduler=3.9', '1.38');
  const client = new SchedulerClient(options);
  t.teardown(() => client.close());
  const payload = Buffer.from(
    CreateVolumeRequest.encode(CreateVolumeRequest.create({ volume: NEW_VOLUME, backupId: 'backup' })).finish(),
  );
  const cast: OutgoingCast = {
    ...{ resourceType: 'Volume', resourceId: NEW_VOLUME.id, epoch: 7, target: null, context },
    message: { binary: 'cinder-scheduler', method: 'CreateVolume', payload, payloadVersion: '3.10' },
  };
  const outcomes = await client.deliver([cast, { ...cast, epoch: 8 }]);
  t.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['claimed', 'claimed'],
  );
  t.deepEqual(
    arrivals.map(({ method, version }) => `${method} ${version}`),
    ['CreateVolume 3.0', 'CreateVolume 3.0'],
  );
  t.notRegex(JSON.stringify(arrivals[0]?.request), /use_quota|backup/);
});

test('every method that a client made of the protos of 3.9 has is taken by the newest scheduler', async (t) => {
  const casts: IncomingCast[] = [];
  const heard: string[] = [];
  const deliver = async (some: readonly IncomingCast[]): Promise<(typeof CLAIMED)[]> => {
    casts.push(...some);
    return some.map(() => CLAIMED);
  };
  const handlers = new Proxy(
    {},
    {
      get: (_, key: string) => async () => {
        heard.push(key);
        return key === 'getPools' ? { pools: [NEW_POOL] } : { requested: [], notRequested: [], valid: true };
      },
    },
  );
  const server = await schedulerServer(t, { casts: { deliver }, handlers });
  const Old = await oldService(t, 'cinder-scheduler=3.9', SCHEDULER);
  const client = clientOf(t, Old, server.address);
  const volume = { id: 'volume-1', size: 3 };
  for (const name of Object.keys(Old.service)) await client(name, { volume });
  t.is(casts.length + heard.length, Object.keys(Old.service).length);
  t.false(Object.keys(Old.service).includes('CreateBackup'));
  t.deepEqual([...new Set(casts.map(({ resourceId, version }) => `${resourceId} ${version}`))], ['volume-1 3.9']);
  const { pools } = await client('GetPools', {});
  t.deepEqual(pools, [{ name: 'h@b#p' }], 'what is newer in an answer is not seen');

  const refused = await t.throwsAsync<ServiceError>(client('GetPools', {}, '4.0'));
  t.is(refused.code, Code.UNIMPLEMENTED);
});

const NEW_POOL = { name: 'h@b#p', capabilities: undefined, oddities: [] };
const MIGRATION = {
  ...{ volume: NEW_VOLUME, backend: 'node2@file', forceCopy: true },
  ...{ requestSpec: undefined, filterProperties: undefined },
};

/** Calls methods by name, as 3.9. */
function clientOf(
  t: ExecutionContext,
  Old: ServiceClientConstructor,
  address: string,
): (name: string, request: object, version?: string) => Promise<Readonly<Record<string, unknown>>> {
  const client = new Old(address, ChannelCredentials.createInsecure());
  t.teardown(() => client.close());
  return (name, request, version = '3.9') => {
    const metadata = new Metadata();
    metadata.set('cinder-rpc-version', version);
    metadata.set('x-project-id', 'p');
    return new Promise((resolve, reject) => {
      (client[name] as (...args: unknown[]) => void).call(
        client,
        request,
        metadata,
        (error: ServiceError | null, answer: Readonly<Record<string, unknown>>) =>
          error ? reject(error) : resolve(answer),
      );
    });
  };
}
