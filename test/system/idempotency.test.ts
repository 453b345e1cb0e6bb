import test from 'ava';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { answered, callerFor, newProject, refused } from '../support/api.js';
import { sharedInstallation, until } from '../support/installation.js';

const installation = sharedInstallation();

const { createVolume, deleteVolume } = VolumesService;
const asked = (fields: Partial<CreateVolumeRequest> = {}): CreateVolumeRequest =>
  CreateVolumeRequest.create({ size: 1, name: 'once', idempotencyKey: 'key', ...fields });

test('the same key with the same parameters answers the first volume, as it is now', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  const client = installation().client(projectId);
  const a = asked({
    metadata: new Map([
      ['a', '1'],
      ['b', '2'],
    ]),
  });
  const b = asked({
    metadata: new Map([
      ['b', '2'],
      ['a', '1'],
    ]),
  });
  const first = answered(await call(createVolume, a)).volume;
  const now = await client.available(first?.id ?? '');
  t.deepEqual(answered(await call(createVolume, b)).volume, now, 'the order of a map means nothing');
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });
});

test('the same key with other parameters is refused, and nothing is made', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  answered(await call(createVolume, asked()));
  const others: Partial<CreateVolumeRequest>[] = [
    { size: 2 },
    { name: 'other' },
    { description: '' },
    { metadata: new Map([['a', '1']]) },
  ];
  for (const other of others) {
    const refusal = refused(await call(createVolume, asked(other)));
    t.like(refusal, { code: 'INVALID_ARGUMENT', reason: 'IDEMPOTENCY_KEY_REUSED', facts: { key: 'key' } });
  }
  t.deepEqual(await installation().client(projectId).usage(), { volumes: [1, 0], gigabytes: [1, 0] });
});

test('a key belongs to one user of one project', async (t) => {
  const projectId = newProject();
  const ofUser = async (project: string, user: string): Promise<string | undefined> =>
    answered(await callerFor(t, installation(), project)(createVolume, asked(), { 'x-user-id': user })).volume?.id;
  const ids = [
    await ofUser(projectId, 'ann'),
    await ofUser(projectId, 'bob'),
    await ofUser(newProject(), 'ann'),
    await ofUser(projectId, 'ann'),
  ];
  t.is(new Set(ids).size, 3);
  t.is(ids[3], ids[0]);
});

test('twenty requests at once with one key make one volume', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  const once = async (): Promise<string> =>
    until(async () => {
      const answer = await call(createVolume, asked());
      if (!answer.error) return answer.response?.volume?.id;
      // the winner is not decided yet: the answer says when to ask again
      const { reason, retryMs } = refused(answer);
      t.deepEqual([reason, retryMs], ['IDEMPOTENCY_KEY_IN_PROGRESS', 1_000]);
      return undefined;
    }, 'the winner to be decided');
  const ids = await Promise.all(Array.from({ length: 20 }, once));
  t.is(new Set(ids).size, 1);
  const client = installation().client(projectId);
  t.is((await client.list()).length, 1);
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });
});

test('a refused request does not use its key up', async (t) => {
  const call = callerFor(t, installation());
  t.is(refused(await call(createVolume, asked({ size: 5_000 }))).code, 'RESOURCE_EXHAUSTED');
  answered(await call(createVolume, asked({ size: 1 })));
});

test('a deletion may be repeated with its key, and only that deletion', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  const client = installation().client(projectId);
  const [doomed, kept] = [await client.create(), await client.create()];
  await client.available(doomed.id);
  const deletion = { volumeId: doomed.id, cascade: false, force: false, idempotencyKey: 'delete' };
  answered(await call(deleteVolume, deletion));
  await client.gone(doomed.id);
  answered(await call(deleteVolume, deletion));
  t.is(refused(await call(deleteVolume, { ...deletion, volumeId: kept.id })).reason, 'IDEMPOTENCY_KEY_REUSED');
  t.is(refused(await call(deleteVolume, { ...deletion, idempotencyKey: undefined })).code, 'NOT_FOUND');
});
