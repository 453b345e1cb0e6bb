import test from 'ava';
import { type KeyedMethod, keyOfRequest } from '#src/api/idempotency-key.js';
import { Violations } from '#src/api/validation.js';
import { QuotasService, UpdateQuotaSetRequest } from '#src/gen/cinder/api/v3/quotas.js';
import { UpdateVolumeTypeRequest, VolumeTypesService } from '#src/gen/cinder/api/v3/volume_types.js';

const REQUEST = UpdateQuotaSetRequest.create({
  ...{ projectId: 'p', idempotencyKey: 'k' },
  limits: new Map([
    ['volumes', 1],
    ['gigabytes', 2],
  ]),
});
const hashOf = <T extends { idempotencyKey?: string | undefined }>(method: KeyedMethod<T>, request: T) =>
  keyOfRequest(method, request, new Violations())?.requestHash;

test('a request stands for the same at a process that knows a further field of it', (t) => {
  interface Newer extends UpdateQuotaSetRequest {
    readonly force: boolean;
  }
  const newer: KeyedMethod<Newer> = {
    path: QuotasService.updateQuotaSet.path,
    requestSerialize: (request) => {
      const writer = UpdateQuotaSetRequest.encode(request);
      return (request.force ? writer.uint32(800).bool(true) : writer).finish();
    },
  };
  t.is(hashOf(newer, { ...REQUEST, force: false }), hashOf(QuotasService.updateQuotaSet, REQUEST));
  t.not(hashOf(newer, { ...REQUEST, force: true }), hashOf(QuotasService.updateQuotaSet, REQUEST));
});

test('the order of a map and the key itself are no parameters, a field that is set to nothing is one', (t) => {
  const reversed = new Map([...REQUEST.limits].toReversed());
  t.is(
    hashOf(QuotasService.updateQuotaSet, { ...REQUEST, limits: reversed, idempotencyKey: 'other' }),
    hashOf(QuotasService.updateQuotaSet, REQUEST),
  );
  t.not(
    hashOf(QuotasService.updateQuotaSet, { ...REQUEST, limits: new Map([['volumes', 1]]) }),
    hashOf(QuotasService.updateQuotaSet, REQUEST),
  );
  const absent = UpdateVolumeTypeRequest.create({ volumeType: 't', idempotencyKey: 'k' });
  t.not(
    hashOf(VolumeTypesService.updateVolumeType, { ...absent, description: '' }),
    hashOf(VolumeTypesService.updateVolumeType, absent),
    'cleared, or left as it is',
  );
});

test('a key is stored under the full name of the method, as every release has stored it', (t) => {
  t.is(
    keyOfRequest(QuotasService.updateQuotaSet, REQUEST, new Violations())?.rpc,
    'cinder.api.v3.Quotas/UpdateQuotaSet',
  );
});
