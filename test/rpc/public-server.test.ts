import { status as Code } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { CommitUnknown } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import { InDoubt } from '#src/flow/in-doubt.js';
import { GetVolumeResponse, ListVolumesRequest, VolumesService as Volumes } from '#src/gen/cinder/api/v3/volumes.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import type { PublicCall } from '#src/rpc/public-server.js';
import { type Answer, bareClient, callBare, milestone, volumesServer } from '../support/rpc.js';

const ONE = { volumeId: 'v1' };

function faultOf({ error }: Answer<unknown>): Fault {
  const fault = error && faultFromServiceError(error);
  if (!(fault instanceof Fault)) throw new Error(`not a fault: ${String(fault)}`);
  return fault;
}

function volume(more: Partial<NonNullable<GetVolumeResponse['volume']>> = {}): GetVolumeResponse {
  return GetVolumeResponse.fromPartial({ volume: { id: 'v1', name: 'data', ...more } });
}

test('the request id of the caller is used, and always returned', async (t) => {
  const calls: PublicCall[] = [];
  const getVolume = async (_: unknown, call: PublicCall): Promise<GetVolumeResponse> => (calls.push(call), volume());
  const client = bareClient(t, await volumesServer(t, { getVolume }));
  const given = await callBare(client, Volumes.getVolume, ONE, { 'x-openstack-request-id': 'req-abc-1' });
  t.deepEqual(given.metadata.get('x-openstack-request-id'), ['req-abc-1']);
  t.is(calls[0]?.context.requestId, 'req-abc-1');
  for (const bad of ['abc', 'req-', `req-${'a'.repeat(65)}`, 'req-a b']) {
    const made = await callBare(client, Volumes.getVolume, ONE, { 'x-openstack-request-id': bad });
    t.regex(String(made.metadata.get('x-openstack-request-id')[0]), /^req-[0-9a-f-]{36}$/, bad);
  }
  const failed = await callBare(client, Volumes.deleteVolume, { volumeId: '', cascade: false, force: false });
  t.is(failed.metadata.get('x-openstack-request-id')[0], (faultOf(failed).facts as { requestId: string }).requestId);
});

test('who the authenticator does not know is UNAUTHENTICATED, and no handler runs', async (t) => {
  let handled = false;
  const getVolume = async (): Promise<GetVolumeResponse> => ((handled = true), volume());
  const authenticator = {
    authenticate: () => {
      throw new Fault('NotAuthenticated', { reason: "The metadata 'x-project-id' is missing." });
    },
  };
  const client = bareClient(t, await volumesServer(t, { getVolume }, { authenticator }));
  const answer = await callBare(client, Volumes.getVolume, ONE);
  t.is(answer.error?.code, Code.UNAUTHENTICATED);
  t.true(answer.error?.details.includes('x-project-id'));
  t.false(handled);
});

test('the rule of the proto is asked with the caller, and a no is PERMISSION_DENIED', async (t) => {
  const asked: unknown[] = [];
  const policy = {
    allows: (rule: string, { projectId }: { projectId: string }) => (asked.push([rule, projectId]), false),
  };
  const client = bareClient(t, await volumesServer(t, {}, { policy }));
  const answer = await callBare(client, Volumes.getVolume, ONE, { 'x-project-id': 'p9' });
  t.is(answer.error?.code, Code.PERMISSION_DENIED);
  t.deepEqual(faultOf(answer).facts, { action: 'volume:get' });
  t.deepEqual(asked, [['volume:get', 'p9']]);
});

test('ids that no record can hold are refused, each header by its name', async (t) => {
  const client = bareClient(t, await volumesServer(t, { getVolume: async () => volume() }));
  const answer = await callBare(client, Volumes.getVolume, ONE, { 'x-project-id': 'a/b', 'x-roles': 'mem ber' });
  t.is(answer.error?.code, Code.INVALID_ARGUMENT);
  const fault = faultOf(answer);
  t.deepEqual(Fault.is(fault, 'InvalidInput') && fault.facts.violations.map(({ field }) => field), [
    'x-project-id',
    'x-roles',
  ]);
  const long = await callBare(client, Volumes.getVolume, ONE, { 'x-project-id': 'p'.repeat(256) });
  t.is(long.error?.code, Code.INVALID_ARGUMENT);
  t.is((await callBare(client, Volumes.getVolume, ONE, { 'x-project-id': 'p'.repeat(255) })).error, undefined);
});

test('fields for administrators are not in the answers of others, in lists and streams neither', async (t) => {
  const secret = {
    host: 'h@b#p',
    providerId: 'lun-7',
    serviceUuid: 's',
    clusterName: 'c',
    providerLocation: 'l',
    migrationStatus: 'm',
  };
  const full = volume(secret);
  const volumes = full.volume ? [full.volume, full.volume] : [];
  const server = await volumesServer(t, {
    getVolume: async () => full,
    listVolumes: async () => ({ volumes, nextPageToken: '' }),
    watchVolumes: async () =>
      (async function* () {
        yield { volume: full.volume, resumeToken: 'r' };
      })(),
  });
  const client = bareClient(t, server);
  const shown = (one: object | undefined): string[] =>
    Object.keys(secret).filter((key) => (one as Record<string, unknown>)[key] !== undefined);
  const member = await callBare(client, Volumes.getVolume, ONE);
  t.deepEqual(shown(member.response?.volume), []);
  t.is(member.response?.volume?.name, 'data');
  const admin = await callBare(client, Volumes.getVolume, ONE, { 'x-roles': 'member,admin' });
  t.deepEqual(shown(admin.response?.volume), Object.keys(secret));
  const listed = await callBare(
    client,
    Volumes.listVolumes,
    ListVolumesRequest.fromPartial({ pageSize: 0, pageToken: '' }),
  );
  t.deepEqual(listed.response?.volumes.map(shown), [[], []]);
  const stream = client.makeServerStreamRequest(
    Volumes.watchVolumes.path,
    Volumes.watchVolumes.requestSerialize,
    Volumes.watchVolumes.responseDeserialize,
    { resumeToken: '', volumeIds: [] },
  );
  for await (const message of stream) t.deepEqual(shown((message as GetVolumeResponse).volume), []);
  t.is(full.volume?.host, 'h@b#p', 'what the handler answered is untouched');
});

test('one project cannot take all places: more than its share is RESOURCE_EXHAUSTED with advice to wait', async (t) => {
  const { reached: released, reach: release } = milestone();
  const getVolume = async (): Promise<GetVolumeResponse> => (await released, volume());
  const server = await volumesServer(t, { getVolume }, { maxRequestsPerProject: 2 });
  const client = bareClient(t, server);
  const inProject = (projectId: string): Promise<Answer<unknown>> =>
    callBare(client, Volumes.getVolume, ONE, { 'x-project-id': projectId });
  const first = [inProject('a'), inProject('a'), inProject('a'), inProject('b')];
  const refused = await Promise.race(first);
  t.is(refused.error?.code, Code.RESOURCE_EXHAUSTED);
  t.true(Fault.is(faultOf(refused), 'TooManyRequests'));
  release();
  const codes = (await Promise.all(first)).map(({ error }) => error?.code);
  t.deepEqual(codes, [undefined, undefined, Code.RESOURCE_EXHAUSTED, undefined]);
  t.is((await inProject('a')).error, undefined, 'places are given back');
});

test('a place is given back when the handler fails, and when the caller goes away', async (t) => {
  const { reached, reach } = milestone();
  const getVolume = ({ volumeId }: { volumeId: string }, { signal }: PublicCall): Promise<GetVolumeResponse> => {
    if (volumeId === 'fails') return Promise.reject(new Fault('VolumeNotFound', { volumeId }));
    if (volumeId === 'v1') return Promise.resolve(volume());
    reach();
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Fault)));
  };
  const client = bareClient(t, await volumesServer(t, { getVolume }, { maxRequestsPerProject: 1 }));
  t.is((await callBare(client, Volumes.getVolume, { volumeId: 'fails' })).error?.code, Code.NOT_FOUND);
  const cancelled = await callBare(client, Volumes.getVolume, { volumeId: 'waits' }, {}, { cancelWhen: reached });
  t.is(cancelled.error?.code, Code.CANCELLED);
  t.is((await callBare(client, Volumes.getVolume, ONE)).error, undefined);
});

test('a flow that ended in doubt is UNAVAILABLE and names the resource', async (t) => {
  const getVolume = (): Promise<never> => Promise.reject(new InDoubt('nobody knows', 'v1'));
  const answer = await callBare(bareClient(t, await volumesServer(t, { getVolume })), Volumes.getVolume, ONE);
  t.is(answer.error?.code, Code.UNAVAILABLE);
  t.deepEqual(faultOf(answer).facts, { resourceId: 'v1' });
});

test('a write whose commit nobody knows of is UNAVAILABLE with advice to repeat it, and no unforeseen error', async (t) => {
  const reported: unknown[] = [];
  const getVolume = (): Promise<never> => Promise.reject(new CommitUnknown('the connection broke'));
  const client = bareClient(t, await volumesServer(t, { getVolume }, { report: (error) => reported.push(error) }));
  const answer = await callBare(client, Volumes.getVolume, ONE);
  t.is(answer.error?.code, Code.UNAVAILABLE);
  t.regex(answer.error?.details ?? '', /It is not known yet whether the request was accepted\. Repeat the request/);
  t.deepEqual(reported, []);
});

test('what a handler throws unforeseen never ends the process, whatever it throws', async (t) => {
  const things: unknown[] = [
    new Error('x'),
    'text',
    undefined,
    null,
    { code: 5, details: 'fake' },
    Object.create(null),
  ];
  const reported: unknown[] = [];
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that is what is tested
  const getVolume = ({ volumeId }: { volumeId: string }): Promise<never> => Promise.reject(things[Number(volumeId)]);
  const client = bareClient(t, await volumesServer(t, { getVolume }, { report: (error) => reported.push(error) }));
  for (const index of things.keys()) {
    const answer = await callBare(client, Volumes.getVolume, { volumeId: String(index) });
    t.is(answer.error?.code, Code.INTERNAL);
  }
  t.deepEqual(reported, things);
});

test('an unknown method of the public API is NO_SUCH_METHOD with a request id', async (t) => {
  const client = bareClient(t, await volumesServer(t, {}));
  const answer = await callBare(client, { ...Volumes.getVolume, path: '/cinder.api.v3.Volumes/Explode' }, ONE);
  t.is(faultOf(answer).reason, 'NO_SUCH_METHOD');
  t.is(answer.metadata.get('x-openstack-request-id').length, 1);
});

test('a response that cannot be encoded is INTERNAL, with its request id', async (t) => {
  const getVolume = async (): Promise<GetVolumeResponse> => volume({ size: 'large' as unknown as number });
  const client = bareClient(t, await volumesServer(t, { getVolume }, { report: () => undefined }));
  const answer = await callBare(client, Volumes.getVolume, ONE, { 'x-openstack-request-id': 'req-5' });
  t.is(answer.error?.code, Code.INTERNAL);
  t.deepEqual(faultOf(answer).facts, { requestId: 'req-5' });
});

function deadlineOf(t: ExecutionContext, deadline: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const getVolume = async (_: unknown, call: PublicCall): Promise<GetVolumeResponse> => {
      resolve(call.deadline - Date.now());
      return volume();
    };
    volumesServer(t, { getVolume })
      .then((server) => callBare(bareClient(t, server), Volumes.getVolume, ONE, {}, { deadline }))
      .catch(reject);
  });
}

test('a caller without a deadline has 60 s, a far one is brought to 300 s, a near one is kept', async (t) => {
  const about = (ms: number, expected: number): boolean => ms > expected - 2_000 && ms <= expected;
  t.true(about(await deadlineOf(t, Infinity), 60_000));
  t.true(about(await deadlineOf(t, Date.now() + 7_200_000), 300_000));
  t.true(about(await deadlineOf(t, Date.now() + 10_000), 10_000));
});
