import { Metadata, type ServiceError, status as Code } from '@grpc/grpc-js';
import test from 'ava';
import { CinderError, isCinderError } from '#src/client/index.js';
import { cinderError } from '#src/client/cinder-error.js';
import { ErrorInfo } from '#src/gen/google/rpc/error_details.js';
import { Status } from '#src/gen/google/rpc/status.js';
import { pack } from '#src/rpc/status-details.js';

/** What gRPC gives for a status with these bytes as its details. */
function received(code: Code, bytes?: Uint8Array): ServiceError {
  const metadata = new Metadata();
  if (bytes) metadata.set('grpc-status-details-bin', Buffer.from(bytes));
  return Object.assign(new Error(`${code} No more`), { code, details: 'No more', metadata });
}

test('an error that this version does not know keeps its code, its words and its reason', (t) => {
  const info = pack('ErrorInfo', ErrorInfo, {
    ...{ reason: 'WARP_CORE_BREACH', domain: 'cinder-grpc' },
    metadata: new Map([['core', '7']]),
  });
  const bytes = Status.encode({ code: Code.ABORTED, message: 'No more', details: [info] }).finish();
  const error = cinderError(received(Code.ABORTED, bytes), 'req-1');
  t.like(error, {
    code: 'ABORTED',
    message: 'No more',
    reason: 'WARP_CORE_BREACH',
    requestId: 'req-1',
    fault: undefined,
  });
  t.true(isCinderError(error, 'WARP_CORE_BREACH'));
  t.false(isCinderError(error, 'VOLUME_NOT_FOUND'));
});

test('an error without details, or with broken ones, is the transport’s own', (t) => {
  for (const bytes of [undefined, Buffer.from('not a message'), Buffer.alloc(0)]) {
    const error = cinderError(received(Code.UNAVAILABLE, bytes), 'req-1');
    t.true(error instanceof CinderError && error.cause instanceof Error);
    t.like(error, { code: 'UNAVAILABLE', reason: '', message: 'No more', violations: [], retryAfterMs: undefined });
  }
  const unheardOf: number = 99;
  t.is(cinderError(Object.assign(received(Code.UNKNOWN), { code: unheardOf }), 'req-1').code, 'UNKNOWN');
});
