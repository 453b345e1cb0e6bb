import { randomUUID } from 'node:crypto';
import { Metadata, type ServiceClientConstructor, type ServiceError, status as Code } from '@grpc/grpc-js';
import { ChannelCredentials } from '@grpc/grpc-js';
import type { DescMethod } from '@bufbuild/protobuf';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '#src/errors/fault.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { CreateVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { OutgoingCast } from '#src/rpc/cast-client.js';
import { CLAIMED } from '#src/rpc/casts.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { peersIn, registryIn } from '#src/rpc/discovery.js';
import { Presence } from '#src/rpc/presence.js';
import { type AnyMethod, type AnyService, methodNameOf, serviceNameOf } from '#src/rpc/service-definition.js';
import { versionOf } from '#src/rpc/version-number.js';
import type { VersionedClientOptions } from '#src/rpc/versioned-client.js';
import type { InternalCall } from '#src/rpc/versioned-server.js';
import { internalApiOf, type InternalMethod } from '#src/rpc/versions.js';
import { type OldArrival, oldServer, oldService } from '../support/old-peers.js';
import { context, descriptors, MEBIBYTE, rules, serverOf } from '../support/rpc.js';
import { sqliteStore } from '../support/sql.js';
import { SCHEDULER as SCHEDULER_API, TARGET, VOLUME as VOLUME_API } from './matrix/apis.js';
import { fullMessage } from './matrix/full-message.js';

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

for (const [api, version, newerMethod] of [
  [SCHEDULER_API, '3.0', 'ExtendVolume'],
  [SCHEDULER_API, '3.9', 'CreateBackup'],
  [VOLUME_API, '3.0', 'Failover'],
  [VOLUME_API, '3.15', 'Reimage'],
] as const) {
  const { binary, definition } = api;
  test(`every method that a client made of the protos of ${binary} ${version} has is taken by the newest, and answered`, async (t) => {
    const heard = new Map<string, { version: string; bytes: Buffer }>();
    const server = await serverOf<AnyService>(t, definition, {
      owns: (target) => target === TARGET,
      handlers: Object.fromEntries(
        Object.entries(definition).map(([key, method]) => [
          key,
          async (request: unknown, { version: written }: InternalCall) => {
            heard.set(methodNameOf(method.path), {
              version: written,
              bytes: method.requestSerialize(request as never),
            });
            return method.responseDeserialize(fullMessage(declared(method).output));
          },
        ]),
      ),
      casts: {
        deliver: async (casts) => {
          for (const { method, version: written, args } of casts) heard.set(method, { version: written, bytes: args });
          return casts.map(() => CLAIMED);
        },
      },
    });
    const Old = await oldService(t, `${binary}=${version}`, serviceNameOf(definition));
    t.false(newerMethod in Old.service, 'what is newer is not in the view');
    const call = clientOf(t, Old, server.address, version);

    for (const method of Object.values(definition)) {
      const name = methodNameOf(method.path);
      const old = Old.service[name];
      if (!old) continue;
      // all that a client of that age can say, and all that it can read
      const said = old.requestDeserialize(fullMessage(declared(method).input)) as object;
      const answer = await call(name, said);
      const { version: written, bytes } = heard.get(name) ?? { version: '', bytes: Buffer.alloc(0) };
      t.is(written, version, name);
      t.deepEqual(old.requestDeserialize(bytes) as object, said, name);
      t.deepEqual(
        answer,
        kept(method).durable ? {} : old.responseDeserialize(fullMessage(declared(method).output)),
        name,
      );
    }
    t.deepEqual([...heard.keys()].toSorted(), Object.keys(Old.service).toSorted());

    const name = Object.keys(Old.service)[0] ?? '';
    const refused = await t.throwsAsync<ServiceError>(call(name, {}, '4.0'));
    t.is(refused.code, Code.UNIMPLEMENTED);
  });
}

const MIGRATION = {
  ...{ volume: NEW_VOLUME, backend: 'node2@file', forceCopy: true },
  ...{ requestSpec: undefined, filterProperties: undefined },
};

function declared({ path }: AnyMethod): DescMethod {
  const service = descriptors.registry.getService(path.split('/')[1] ?? '');
  const method = service?.methods.find(({ name }) => name === methodNameOf(path));
  if (!method) throw new Error(`${path} is not declared`);
  return method;
}

function kept({ path }: AnyMethod): InternalMethod {
  const method = internalApiOf(rules, path.split('/')[1] ?? '').methods.get(methodNameOf(path));
  if (!method) throw new Error(`${path} has no rules`);
  return method;
}

/** Calls methods by name, as a version. */
function clientOf(
  t: ExecutionContext,
  Old: ServiceClientConstructor,
  address: string,
  own: string,
): (name: string, request: object, version?: string) => Promise<Readonly<Record<string, unknown>>> {
  const client = new Old(address, ChannelCredentials.createInsecure());
  t.teardown(() => client.close());
  return (name, request, version = own) => {
    const metadata = new Metadata();
    metadata.set('cinder-rpc-version', version);
    metadata.set('cinder-rpc-target', TARGET);
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
