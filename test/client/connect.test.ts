import test from 'ava';
import { type CinderError, connect, Fault, isCinderError } from '#src/client/index.js';
import { SERVICES } from '#src/client/services.js';
import { type CreateVolumeRequest, CreateVolumeResponse, ListVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import type { PublicCall } from '#src/rpc/public-server.js';
import { clientFor } from '../support/client.js';
import { milestone, volumesServer } from '../support/rpc.js';

const NOBODY = { address: '127.0.0.1:9' };

test('the client has every public service, and a method for each of its RPCs', (t) => {
  const client = connect(NOBODY);
  t.teardown(() => client.close());
  const { registry } = readDescriptors();
  const services = [...registry.files].flatMap((file) => (file.proto.package === 'cinder.api.v3' ? file.services : []));
  t.deepEqual(
    Object.values(SERVICES)
      .map(({ fullName }): string => fullName)
      .toSorted(),
    services.map(({ typeName }) => typeName).toSorted(),
  );
  for (const [property, { fullName }] of Object.entries(SERVICES)) {
    const service = registry.getService(fullName);
    t.deepEqual(
      Object.keys(client[property as keyof typeof SERVICES]).toSorted(),
      service?.methods.map(({ localName }) => localName).toSorted(),
    );
  }
});

test('a request needs only what differs from the defaults, nested messages too', async (t) => {
  let seen: CreateVolumeRequest | undefined;
  const server = await volumesServer(t, {
    createVolume: async (request) => {
      seen = request;
      return CreateVolumeResponse.create({ volume: { id: 'v1', size: request.size ?? 0 } });
    },
  });
  const client = clientFor(t, server);
  const { volume } = await client.volumes.createVolume({
    size: 3,
    metadata: new Map([['a', 'b']]),
    schedulerHints: { sameHost: ['v0'] },
  });
  t.like(volume, { id: 'v1', size: 3 });
  t.is(seen?.size, 3);
  t.deepEqual(seen?.metadata, new Map([['a', 'b']]));
  t.deepEqual(seen?.schedulerHints?.differentHost, []);
});

test('a call says who calls and under which request id', async (t) => {
  const calls: PublicCall[] = [];
  const server = await volumesServer(t, {
    listVolumes: async (_, call) => {
      calls.push(call);
      return ListVolumesResponse.create();
    },
  });
  const client = clientFor(t, server, { project: 'p-7', roles: ['admin', 'reader'] });
  await client.volumes.listVolumes({}, { requestId: 'req-mine' });
  await client.volumes.listVolumes({});
  const [first, second] = calls.map(({ context }) => context);
  t.like(first, { projectId: 'p-7', roles: ['admin', 'reader'], requestId: 'req-mine' });
  t.regex(second?.requestId ?? '', /^req-[0-9a-f-]{36}$/);
});

test('every request that can carry an idempotency key carries one: the caller’s, or a new one', async (t) => {
  const keys: (string | undefined)[] = [];
  const server = await volumesServer(t, {
    createVolume: async ({ idempotencyKey }) => {
      keys.push(idempotencyKey);
      return CreateVolumeResponse.create();
    },
  });
  const { volumes } = clientFor(t, server);
  await volumes.createVolume({ size: 1 });
  await volumes.createVolume({ size: 1 });
  await volumes.createVolume({ size: 1 }, { idempotencyKey: 'of the call' });
  await volumes.createVolume({ size: 1, idempotencyKey: 'of the request' }, { idempotencyKey: 'of the call' });
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  t.regex(keys[0] ?? '', uuid);
  t.regex(keys[1] ?? '', uuid);
  t.not(keys[0], keys[1]);
  t.deepEqual(keys.slice(2), ['of the call', 'of the request']);
});

test('a request whose first sending is still being decided waits for that, under the same key', async (t) => {
  const keys: (string | undefined)[] = [];
  const server = await volumesServer(t, {
    createVolume: async ({ idempotencyKey }) => {
      keys.push(idempotencyKey);
      if (keys.length < 3) throw new Fault('IdempotencyKeyInProgress', { key: idempotencyKey ?? '' });
      return CreateVolumeResponse.create({ volume: { id: 'v1' } });
    },
  });
  const { volumes } = clientFor(t, server);
  t.is((await volumes.createVolume({ size: 1 })).volume?.id, 'v1');
  t.is(keys.length, 3);
  t.is(new Set(keys).size, 1);

  keys.length = 0;
  const start = performance.now();
  const late = await t.throwsAsync(volumes.createVolume({ size: 1 }, { timeoutMs: 900 }));
  t.like(late, { reason: 'IDEMPOTENCY_KEY_IN_PROGRESS' });
  t.true(performance.now() - start < 900, 'what cannot come in time is not waited for');
});

test('the compiler knows the requests, the answers and the options of each method', async (t) => {
  const server = await volumesServer(t, { listVolumes: async () => ListVolumesResponse.create() });
  const { volumes } = clientFor(t, server);
  const { nextPageToken }: { nextPageToken: string } = await volumes.listVolumes({ filter: { name: 'a' } });
  // @ts-expect-error there is no such field
  await volumes.listVolumes({ filter: { nam: 'a' } });
  // @ts-expect-error a call that changes nothing takes no key
  await volumes.listVolumes({}, { idempotencyKey: 'k' });
  t.is(nextPageToken, '');
});

test('an aborted call that carries no key is not sent again', async (t) => {
  let calls = 0;
  const server = await volumesServer(t, {
    listVolumes: async () => {
      calls += 1;
      throw new Fault('RequestSuperseded', { resourceId: 'v1' });
    },
  });
  await t.throwsAsync(clientFor(t, server).volumes.listVolumes({}));
  t.is(calls, 1);
});

test('an error brings all its details, typed', async (t) => {
  const violations = [
    { field: 'size', description: 'must be 1 or more' },
    { field: 'name', description: 'is too long' },
  ];
  const over = [{ resource: 'gigabytes', limit: 10, inUse: 4, reserved: 3, asked: 5 }];
  const faults: Fault[] = [
    new Fault('InvalidInput', { violations, omitted: 0 }),
    new Fault('VolumeLimitExceeded', { allowed: 10, name: 'volumes', over }),
    new Fault('InvalidVolume', { volumeId: 'v1', reason: 'it is in use.' }),
    new Fault('IdempotencyKeyInProgress', { key: 'k' }),
  ];
  const server = await volumesServer(t, {
    listVolumes: async () => {
      throw faults.shift() ?? new Error('more calls than faults');
    },
  });
  const { volumes } = clientFor(t, server);
  const refused = async (): Promise<CinderError> => {
    const error = await t.throwsAsync(volumes.listVolumes({}, { requestId: 'req-1' }));
    t.true(isCinderError(error));
    return error as unknown as CinderError;
  };
  const invalid = await refused();
  t.like(invalid, { code: 'INVALID_ARGUMENT', reason: 'INVALID_INPUT', requestId: 'req-1', violations });
  const limit = await refused();
  t.like(limit.quota[0], { subject: 'project:project-1', resource: 'gigabytes', limit: 10 });
  t.true(Fault.is(limit.fault, 'VolumeLimitExceeded') && limit.fault.facts.over[0]?.reserved === 3);
  t.like(await refused(), {
    code: 'FAILED_PRECONDITION',
    message: 'Invalid volume: it is in use.',
    preconditions: [{ type: 'STATUS', subject: 'volume:v1', description: 'it is in use.' }],
  });
  t.like(await refused(), { code: 'ABORTED', retryAfterMs: 1_000 });
});

test('a call ends at its deadline, and with its signal, before and while it runs', async (t) => {
  const running = milestone();
  const aborted = milestone();
  const server = await volumesServer(t, {
    listVolumes: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        running.reach();
        signal.addEventListener('abort', () => {
          aborted.reach();
          reject(signal.reason as Error);
        });
      }),
  });
  const { volumes } = clientFor(t, server);
  const call = new AbortController();
  const cancelled = t.throwsAsync(volumes.listVolumes({}, { signal: call.signal }));
  await running.reached;
  call.abort();
  t.like(await cancelled, { code: 'CANCELLED' });
  await aborted.reached;
  t.like(await t.throwsAsync(volumes.listVolumes({}, { signal: call.signal })), { code: 'CANCELLED' });
  t.like(await t.throwsAsync(volumes.listVolumes({}, { timeoutMs: 50 })), { code: 'DEADLINE_EXCEEDED' });
});

test('an address where nobody has ever answered is given up long before the deadline', async (t) => {
  const { volumes } = clientFor(t, NOBODY, { timeoutMs: 60_000 });
  const start = performance.now();
  const error = await t.throwsAsync(volumes.listVolumes({}, { requestId: 'req-2' }));
  t.like(error, { code: 'UNAVAILABLE', reason: '', requestId: 'req-2' });
  t.true(performance.now() - start < 15_000);
});
