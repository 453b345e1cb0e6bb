import { randomUUID } from 'node:crypto';
import test from 'ava';
import { MessagesService } from '#src/gen/cinder/api/v3/messages.js';
import { PoolsService } from '#src/gen/cinder/api/v3/pools.js';
import { QuotasService } from '#src/gen/cinder/api/v3/quotas.js';
import { ServicesService } from '#src/gen/cinder/api/v3/services.js';
import {
  CreateVolumeRequest,
  type GetVolumeResponse,
  type Volume,
  VolumesService,
  VolumeStatus,
  ListVolumesRequest,
} from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, type Caller, callerFor, newProject, refused } from '../support/api.js';
import { sharedInstallation, until } from '../support/installation.js';
import { type Answer, bareClient, callBare } from '../support/rpc.js';

const installation = sharedInstallation();

const { createVolume, getVolume, listVolumes, deleteVolume } = VolumesService;
const { getQuotaSet, updateQuotaSet } = QuotasService;
const FIRST_PAGE = ListVolumesRequest.fromPartial({ pageSize: 0, pageToken: '' });
const LIMITS = new Map([['volumes', 5]]);

test('a request without a project is UNAUTHENTICATED and names the header', async (t) => {
  const client = bareClient(t, installation());
  const refusal = refused(await callBare(client, listVolumes, FIRST_PAGE));
  t.like(refusal, { code: 'UNAUTHENTICATED', reason: 'NOT_AUTHENTICATED', domain: 'cinder-grpc' });
  t.true(refusal.message.includes('x-project-id'), refusal.message);
});

for (const [what, header, value] of [
  ['an empty project', 'x-project-id', ''],
  ['a project with a space', 'x-project-id', 'a b'],
  ['a project that would leave its Redis slot', 'x-project-id', 'a}b'],
  ['a project that is too long', 'x-project-id', 'p'.repeat(256)],
  ['a user with a quote', 'x-user-id', "o'brien"],
] as const) {
  test(`${what} is refused and names the header`, async (t) => {
    const call = callerFor(t, installation());
    const refusal = refused(await call(createVolume, CreateVolumeRequest.create({ size: 1 }), { [header]: value }));
    t.is(refusal.code, 'UNAUTHENTICATED');
    t.true(refusal.message.includes(header), refusal.message);
  });
}

test("another project's volume is NOT_FOUND in the words of a volume that never was", async (t) => {
  const mine = callerFor(t, installation());
  const others = callerFor(t, installation());
  const { id } = await made(mine);
  const unknown = randomUUID();
  for (const ask of [
    (volumeId: string) => others(getVolume, { volumeId }),
    (volumeId: string) => others(deleteVolume, { volumeId, cascade: false, force: false, idempotencyKey: undefined }),
  ]) {
    const foreign = refused(await ask(id));
    const never = refused(await ask(unknown));
    t.like(foreign, { code: 'NOT_FOUND', reason: 'VOLUME_NOT_FOUND', facts: { volumeId: id } });
    t.is(foreign.message.replace(id, 'ID'), never.message.replace(unknown, 'ID'));
    t.deepEqual({ ...foreign, facts: {}, message: '' }, { ...never, facts: {}, message: '' });
  }
  t.deepEqual(answered(await others(listVolumes, FIRST_PAGE)).volumes, []);
  t.truthy(answered(await mine(getVolume, { volumeId: id })).volume, 'it is still there');
});

test('a malformed id is INVALID_ARGUMENT, for every RPC that takes one', async (t) => {
  const call = callerFor(t, installation());
  for (const volumeId of ['', 'x', randomUUID().toUpperCase(), '../etc/passwd', 'x'.repeat(10_000)]) {
    const got = refused(await call(getVolume, { volumeId }));
    t.like(got, { code: 'INVALID_ARGUMENT', fields: ['volume_id'] });
    const request = { volumeId, cascade: false, force: false, idempotencyKey: undefined };
    t.like(refused(await call(deleteVolume, request)), { code: 'INVALID_ARGUMENT', fields: ['volume_id'] });
  }
  const messages = refused(await call(MessagesService.listMessages, { ...FIRST_PAGE, resourceId: 'x' }));
  t.like(messages, { code: 'INVALID_ARGUMENT', fields: ['resource_id'] });
});

test('where a volume is, administrators see and members do not', async (t) => {
  const call = callerFor(t, installation());
  const { id } = await made(call);
  const ofMember = await placed(() => call(getVolume, { volumeId: id }));
  const ofAdmin = await placed(() => call(getVolume, { volumeId: id }, ADMIN));
  t.like(ofAdmin, { host: 'node1@file#pool' });
  t.like(ofMember, { host: undefined, serviceUuid: undefined, providerId: undefined, providerLocation: undefined });
  const list = answered(await call(listVolumes, FIRST_PAGE)).volumes;
  t.deepEqual(
    list.map((volume) => [volume.id, volume.host]),
    [[id, undefined]],
  );
});

test('members may not change quotas, force a deletion, or look at services and pools; administrators may', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  const { id } = await made(call);
  const force = { volumeId: id, cascade: false, force: true, idempotencyKey: undefined };
  const isDenied = { code: 'PERMISSION_DENIED', reason: 'POLICY_NOT_AUTHORIZED' };

  t.like(refused(await call(updateQuotaSet, { projectId, limits: LIMITS })), isDenied);
  t.like(refused(await call(getQuotaSet, { projectId: 'another', usage: false })), isDenied);
  t.like(refused(await call(ServicesService.listServices, { binary: '', host: '' })), isDenied);
  t.like(refused(await call(PoolsService.listPools, { detail: true, name: '' })), isDenied);
  t.like(refused(await call(deleteVolume, force)), isDenied);
  t.like(refused(await call(createVolume, CreateVolumeRequest.create({ size: 1 }), { 'x-roles': 'reader' })), isDenied);

  const { quotaSet } = answered(await call(updateQuotaSet, { projectId, limits: LIMITS }, ADMIN));
  t.is(quotaSet?.limits.get('volumes'), 5);
  const { services } = answered(await call(ServicesService.listServices, { binary: '', host: '' }, ADMIN));
  t.deepEqual(
    services.map(({ binary, host }) => [binary, host]),
    [
      ['cinder-scheduler', 'node1'],
      ['cinder-volume', 'node1@file'],
    ],
  );
  const { pools } = answered(await call(PoolsService.listPools, { detail: false, name: '' }, ADMIN));
  t.deepEqual(
    pools.map(({ name }) => name),
    ['node1@file#pool'],
  );
  answered(await call(deleteVolume, force, ADMIN));
});

test('a page token is good for its own project and list only, and not when it was changed', async (t) => {
  const call = callerFor(t, installation());
  await made(call);
  await made(call);
  const { nextPageToken: token } = answered(
    await call(listVolumes, ListVolumesRequest.fromPartial({ pageSize: 1, pageToken: '' })),
  );
  t.is(
    answered(await call(listVolumes, ListVolumesRequest.fromPartial({ pageSize: 1, pageToken: token }))).volumes.length,
    1,
  );

  const changed = `${token.slice(0, -3)}${token.at(-3) === 'A' ? 'B' : 'A'}${token.slice(-2)}`;
  for (const pageToken of [changed, token.slice(1), 'x', 'AAAA', '\u0000', 'x'.repeat(10_000)]) {
    const refusal = refused(await call(listVolumes, ListVolumesRequest.fromPartial({ pageSize: 1, pageToken })));
    t.like(refusal, { code: 'INVALID_ARGUMENT', fields: ['page_token'] }, pageToken.slice(0, 80));
  }
  const others = callerFor(t, installation());
  t.like(refused(await others(listVolumes, ListVolumesRequest.fromPartial({ pageSize: 1, pageToken: token }))), {
    fields: ['page_token'],
  });
  const otherList = { pageSize: 1, pageToken: token, resourceId: '' };
  t.like(refused(await call(MessagesService.listMessages, otherList)), { fields: ['page_token'] });
});

/** A volume that was just accepted. */
async function made(call: Caller): Promise<Volume> {
  const { volume } = answered(await call(createVolume, CreateVolumeRequest.create({ size: 1 })));
  if (!volume) throw new Error('the answer has no volume');
  return volume;
}

/** A volume once it is on its backend. */
function placed(ask: () => Promise<Answer<GetVolumeResponse>>): Promise<Volume> {
  return until(async () => {
    const { volume } = answered(await ask());
    return volume?.status === VolumeStatus.AVAILABLE ? volume : undefined;
  }, 'the volume to be available');
}
