import test from 'ava';
import { keyOfRequest, type RequestType } from '#src/api/idempotency-key.js';
import { Violations } from '#src/api/validation.js';
import { UpdateQuotaSetRequest } from '#src/gen/cinder/api/v3/quotas.js';
import { UpdateVolumeTypeRequest } from '#src/gen/cinder/api/v3/volume_types.js';

const REQUEST = UpdateQuotaSetRequest.create({
  ...{ projectId: 'p', idempotencyKey: 'k' },
  limits: new Map([
    ['volumes', 1],
    ['gigabytes', 2],
  ]),
});
const hashOf = <T extends { idempotencyKey?: string | undefined }>(type: RequestType<T>, request: T) =>
  keyOfRequest(type, request, new Violations())?.requestHash;

test('a request stands for the same at a process that knows a further field of it', (t) => {
  interface Newer extends UpdateQuotaSetRequest {
    readonly force: boolean;
  }
  const newer: RequestType<Newer> = {
    encode: (request) => {
      const writer = UpdateQuotaSetRequest.encode(request);
      return request.force ? writer.uint32(800).bool(true) : writer;
    },
  };
  t.is(hashOf(newer, { ...REQUEST, force: false }), hashOf(UpdateQuotaSetRequest, REQUEST));
  t.not(hashOf(newer, { ...REQUEST, force: true }), hashOf(UpdateQuotaSetRequest, REQUEST));
});

test('the order of a map and the key itself are no parameters, a field that is set to nothing is one', (t) => {
  const reversed = new Map([...REQUEST.limits].toReversed());
  t.is(
    hashOf(UpdateQuotaSetRequest, { ...REQUEST, limits: reversed, idempotencyKey: 'other' }),
    hashOf(UpdateQuotaSetRequest, REQUEST),
  );
  t.not(
    hashOf(UpdateQuotaSetRequest, { ...REQUEST, limits: new Map([['volumes', 1]]) }),
    hashOf(UpdateQuotaSetRequest, REQUEST),
  );
  const absent = UpdateVolumeTypeRequest.create({ volumeType: 't', idempotencyKey: 'k' });
  t.not(
    hashOf(UpdateVolumeTypeRequest, { ...absent, description: '' }),
    hashOf(UpdateVolumeTypeRequest, absent),
    'cleared, or left as it is',
  );
});
