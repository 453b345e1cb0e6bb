import { status as Code, type ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import fc from 'fast-check';
import { FAULTS, type FaultName, type Over } from '#src/errors/catalogue.js';
import { Fault, reasonOf } from '#src/errors/fault.js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RequestInfo,
  ResourceInfo,
  RetryInfo,
} from '#src/gen/google/rpc/error_details.js';
import { Status } from '#src/gen/google/rpc/status.js';
import { faultFromServiceError, isServiceError, statusOf, type WireStatus } from '#src/rpc/faults-on-the-wire.js';
import { RemoteError } from '#src/rpc/remote-error.js';
import { unpack } from '#src/rpc/status-details.js';

const OVER: readonly Over[] = [{ resource: 'gigabytes', limit: 10, inUse: 4, reserved: 3, asked: 5 }];
const overOf = (resource: string): Over => ({ resource, limit: 10, inUse: 4, reserved: 3, asked: 5 });
const VIOLATIONS = [{ field: 'size', description: 'must be 1 or more' }];

/** What a client's library makes of a status. */
function received({ code, details, metadata }: WireStatus): ServiceError {
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata });
}

function detailsOf(status: WireStatus): Status['details'] {
  return Status.decode(status.metadata.get('grpc-status-details-bin')[0] as Buffer).details;
}

/** Some facts of the right kinds for a fault. */
function factsFor(name: FaultName): object {
  const values = Object.entries(FAULTS[name].facts as Record<string, { kind: string }>).map(
    ([key, { kind }], index) => {
      if (key === 'violations') return [key, VIOLATIONS];
      if (kind === 'json') return [key, OVER];
      return [key, kind === 'number' ? index + 7 : `fact ${key} ü`];
    },
  );
  return Object.fromEntries(values) as object;
}

for (const name of Object.keys(FAULTS) as FaultName[]) {
  test(`${name} arrives as it was thrown`, (t) => {
    const thrown = new Fault(name, factsFor(name));
    const fault = faultFromServiceError(received(statusOf(thrown, { requestId: 'req-1', projectId: 'p' })));
    t.true(fault instanceof Fault);
    t.is(fault.name, name);
    t.deepEqual((fault as Fault).facts, thrown.facts);
    t.is(fault.message, thrown.message);
    t.is(fault.code, thrown.code);
  });
}

test('every error carries its reason in our domain, its facts, and the request id', (t) => {
  const status = statusOf(new Fault('VolumeNotFound', { volumeId: 'v1' }), { requestId: 'req-7', projectId: 'p' });
  t.is(status.code, Code.NOT_FOUND);
  const details = detailsOf(status);
  t.deepEqual(unpack('ErrorInfo', ErrorInfo, details), {
    reason: 'VOLUME_NOT_FOUND',
    domain: 'cinder-grpc',
    metadata: new Map([['volumeId', 'v1']]),
  });
  t.is(unpack('RequestInfo', RequestInfo, details)?.requestId, 'req-7');
  t.like(unpack('ResourceInfo', ResourceInfo, details), {
    resourceType: 'cinder.api.v3.Volume',
    resourceName: 'v1',
    owner: 'project:p',
  });
});

test('a quota error names the project, and limit, use, reservations and wish of each resource', (t) => {
  const fault = new Fault('VolumeSizeExceedsAvailableQuota', {
    name: 'gigabytes',
    requested: 5,
    consumed: 7,
    quota: 10,
    over: OVER,
  });
  const failure = unpack('QuotaFailure', QuotaFailure, detailsOf(statusOf(fault, { projectId: 'p1' })));
  t.like(failure?.violations[0], {
    subject: 'project:p1',
    quotaMetric: 'gigabytes',
    description: 'gigabytes: limit 10, in use 4, reserved 3, asked 5',
  });
});

test('bad fields, wrong states and advice to wait have the details made for them', (t) => {
  const bad = detailsOf(statusOf(new Fault('InvalidInput', { violations: VIOLATIONS, omitted: 0 })));
  t.like(unpack('BadRequest', BadRequest, bad)?.fieldViolations, VIOLATIONS);
  const state = detailsOf(statusOf(new Fault('InvalidVolume', { volumeId: 'v', reason: 'in-use' })));
  t.like(unpack('PreconditionFailure', PreconditionFailure, state)?.violations[0], {
    subject: 'volume:v',
    description: 'in-use',
  });
  const busy = detailsOf(statusOf(new Fault('QuotaUnavailable', { reason: 'x' })));
  t.deepEqual(unpack('RetryInfo', RetryInfo, busy)?.retryDelay, { seconds: 1, nanos: 0 });
});

test('at most 50 violations travel, and the rest is counted', (t) => {
  const violations = Array.from({ length: 80 }, (_, index) => ({ field: `f${index}`, description: 'bad' }));
  const fault = faultFromServiceError(received(statusOf(new Fault('InvalidInput', { violations, omitted: 2 }))));
  t.true(Fault.is(fault, 'InvalidInput'));
  if (!Fault.is(fault, 'InvalidInput')) return;
  t.is(fault.facts.violations.length, 50);
  t.is(fault.facts.omitted, 32);
});

test('no text makes an error too large for a peer, or unsendable', (t) => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 5_000 }),
    fc.constantFrom('\uD800', '€'.repeat(5_000), 'a\uDFFF€'.repeat(999)),
  );
  let largest = 0;
  fc.assert(
    fc.property(anyText, anyText, fc.nat(200), (field, description, count) => {
      const violations = Array.from({ length: count }, () => ({ field, description }));
      for (const fault of [
        new Fault('InvalidInput', { violations, omitted: 0 }),
        new Fault('InvalidVolume', { volumeId: field, reason: description }),
        new Fault('VolumeLimitExceeded', {
          allowed: 1,
          name: field,
          over: Array.from({ length: count }, () => overOf(field)),
        }),
      ]) {
        const status = statusOf(fault, { requestId: 'req-1', projectId: 'p'.repeat(255) });
        const bytes = status.metadata.get('grpc-status-details-bin')[0]?.length ?? 0;
        const onTheWire = Math.ceil((bytes * 4) / 3) + encodeURI(status.details).length;
        largest = Math.max(largest, onTheWire);
      }
    }),
    { numRuns: 200 },
  );
  t.true(largest > 1_000 && largest < 8_000, `the largest takes ${largest} bytes`);
});

test('an error that is not ours keeps its code and message', (t) => {
  const bare = {
    code: Code.UNAVAILABLE,
    details: 'no route',
    metadata: statusOf(new Fault('Cancelled', { what: 'x' })).metadata,
  };
  bare.metadata.remove('grpc-status-details-bin');
  const error = faultFromServiceError(received(bare));
  t.true(error instanceof RemoteError);
  t.like(error, { code: 'UNAVAILABLE', message: 'no route', reason: '' });
});

test("a newer peer's reason, foreign domains and broken details are no fault of ours", (t) => {
  const status = statusOf(new Fault('VolumeNotFound', { volumeId: 'v1' }));
  const rewritten = (bytes: Uint8Array): ServiceError => {
    status.metadata.set('grpc-status-details-bin', Buffer.from(bytes));
    return received(status);
  };
  const withInfo = (info: Partial<ErrorInfo>): ServiceError => {
    const value = ErrorInfo.encode({
      reason: 'VOLUME_NOT_FOUND',
      domain: 'cinder-grpc',
      metadata: new Map(),
      ...info,
    }).finish();
    const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(value) }];
    return rewritten(Status.encode({ code: 5, message: 'm', details }).finish());
  };
  t.like(faultFromServiceError(withInfo({ reason: 'FROM_THE_FUTURE' })), {
    name: 'RemoteError',
    reason: 'FROM_THE_FUTURE',
  });
  t.is(faultFromServiceError(withInfo({ domain: 'elsewhere.example' })).name, 'RemoteError');
  t.is(faultFromServiceError(withInfo({})).name, 'RemoteError', 'a fact is missing');
  t.is(faultFromServiceError(rewritten(Buffer.from([0xff, 0xff, 0xff]))).name, 'RemoteError');
});

test('reasons are made from names, and are unique', (t) => {
  t.is(reasonOf('VolumeSizeExceedsLimit'), 'VOLUME_SIZE_EXCEEDS_LIMIT');
  const reasons = (Object.keys(FAULTS) as FaultName[]).map(reasonOf);
  t.is(new Set(reasons).size, reasons.length);
  for (const reason of reasons) t.regex(reason, /^[A-Z][A-Z0-9_]{0,62}$/);
});

test('errors of a gRPC client are told from others', (t) => {
  t.true(isServiceError(received(statusOf(new Fault('Cancelled', { what: 'x' })))));
  t.false(isServiceError(new Error('x')));
  t.false(isServiceError(Object.assign(new Error('x'), { code: 'ENOENT', details: '' })));
});
