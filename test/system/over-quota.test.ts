import test from 'ava';
import { QuotasService } from '#src/gen/cinder/api/v3/quotas.js';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, callerFor, newProject, refused } from '../support/api.js';
import { sharedInstallation } from '../support/installation.js';

const installation = sharedInstallation({
  CINDER_QUOTA_VOLUMES: '3',
  CINDER_QUOTA_GIGABYTES: '100',
  CINDER_PER_VOLUME_SIZE_LIMIT: '80',
});

const { createVolume } = VolumesService;
const gibibytes = (size: number): CreateVolumeRequest => CreateVolumeRequest.create({ size });

test('one volume too many is VOLUME_LIMIT_EXCEEDED with limit, use and request, and charges nothing', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  for (let n = 0; n < 3; n++) answered(await call(createVolume, gibibytes(1)));
  const refusal = refused(await call(createVolume, gibibytes(1)));
  t.like(refusal, {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'VOLUME_LIMIT_EXCEEDED',
    facts: { allowed: '3', name: 'volumes' },
  });
  t.deepEqual(refusal.quota, ['volumes: limit 3, in use 3, reserved 0, asked 1']);
  t.deepEqual(await installation().client(projectId).usage(), { volumes: [3, 0], gigabytes: [3, 0] });
});

test('too many gigabytes are VOLUME_SIZE_EXCEEDS_AVAILABLE_QUOTA and charge nothing', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  answered(await call(createVolume, gibibytes(60)));
  const refusal = refused(await call(createVolume, gibibytes(41)));
  t.like(refusal, {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'VOLUME_SIZE_EXCEEDS_AVAILABLE_QUOTA',
    facts: { name: 'gigabytes', requested: '41', consumed: '60', quota: '100' },
    quota: ['gigabytes: limit 100, in use 60, reserved 0, asked 41'],
  });
  answered(await call(createVolume, gibibytes(40)));
  t.deepEqual(await installation().client(projectId).usage(), { volumes: [2, 0], gigabytes: [100, 0] });
});

for (const size of [81, 2 ** 31 - 1]) {
  test(`a volume of ${size} GiB is VOLUME_SIZE_EXCEEDS_LIMIT whatever is free`, async (t) => {
    const projectId = newProject();
    const refusal = refused(await callerFor(t, installation(), projectId)(createVolume, gibibytes(size)));
    t.like(refusal, {
      code: 'RESOURCE_EXHAUSTED',
      reason: 'VOLUME_SIZE_EXCEEDS_LIMIT',
      facts: { size: `${size}`, limit: '80' },
      quota: [`per_volume_gigabytes: limit 80, in use 0, reserved 0, asked ${size}`],
    });
    t.deepEqual(await installation().client(projectId).usage(), { volumes: [0, 0], gigabytes: [0, 0] });
  });
}

test("a project's own limits count, and what is deleted can be had again", async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  const client = installation().client(projectId);
  answered(await call(QuotasService.updateQuotaSet, { projectId, limits: new Map([['volumes', 1]]) }, ADMIN));
  const { id } = await client.create();
  t.is(refused(await call(createVolume, gibibytes(1))).reason, 'VOLUME_LIMIT_EXCEEDED');
  await client.available(id);
  await client.delete(id);
  await client.gone(id);
  await client.available((await client.create()).id);
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });
});

test('of forty requests at once exactly as many are accepted as there is room for', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  const answers = await Promise.all(Array.from({ length: 40 }, () => call(createVolume, gibibytes(1))));
  const refusals = answers.flatMap((answer) => (answer.error ? [refused(answer).reason] : []));
  t.deepEqual([refusals.length, [...new Set(refusals)]], [37, ['VOLUME_LIMIT_EXCEEDED']]);
  t.deepEqual(await installation().client(projectId).usage(), { volumes: [3, 0], gigabytes: [3, 0] });
});

test('a limit below what is in use is refused, and all limits of the request with it', async (t) => {
  const projectId = newProject();
  const call = callerFor(t, installation(), projectId);
  answered(await call(createVolume, gibibytes(7)));
  const limits = new Map([
    ['volumes', 2],
    ['gigabytes', 6],
    ['unicorns', 1],
  ]);
  const unknown = refused(await call(QuotasService.updateQuotaSet, { projectId, limits }, ADMIN));
  t.like(unknown, { code: 'INVALID_ARGUMENT', fields: ['limits["unicorns"]'] });
  limits.delete('unicorns');
  const below = refused(await call(QuotasService.updateQuotaSet, { projectId, limits }, ADMIN));
  t.like(below, { code: 'INVALID_ARGUMENT', fields: ['limits["gigabytes"]'] });
  const { quotaSet } = answered(await call(QuotasService.getQuotaSet, { projectId, usage: false }));
  t.is(quotaSet?.limits.get('volumes'), 3, 'the good limit was not taken either');
});
