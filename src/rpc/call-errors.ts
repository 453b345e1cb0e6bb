import type { ServiceError } from '@grpc/grpc-js';
import { Fault, isFault } from '../errors/fault.js';
import { faultFromServiceError } from './faults-on-the-wire.js';
import { RPC_SERVER_VERSION } from './headers.js';
import type { RemoteError } from './remote-error.js';
import { parseVersion, type Version } from './version-number.js';

/** What a failed internal call means here: the peer's own fault, or one that says how the transport failed. */
export function internalFault(error: ServiceError, binary: string, method: string): Fault | RemoteError {
  const fault = faultFromServiceError(error);
  // a reason that our catalogue lacks is a newer peer's own word, not the transport's
  if (isFault(fault) || fault.reason) return fault;
  switch (fault.code) {
    case 'UNAVAILABLE':
      return new Fault('ServiceUnavailable', { service: binary, reason: fault.message }, { cause: error });
    case 'DEADLINE_EXCEEDED':
      return new Fault('DeadlineExceeded', { what: `${method} of ${binary}` }, { cause: error });
    case 'CANCELLED':
      return new Fault('Cancelled', { what: `${method} of ${binary}` }, { cause: error });
    case 'UNIMPLEMENTED':
      return new Fault('NoSuchMethod', { method: `${binary}/${method}` }, { cause: error });
    default:
      return fault;
  }
}

/** Whether the peer is older than was thought, so that an older form may do. */
export function saysTooNew(fault: unknown): fault is Fault<'UnsupportedVersion' | 'NoSuchMethod'> {
  return Fault.is(fault, 'UnsupportedVersion') || Fault.is(fault, 'NoSuchMethod');
}

/** The version the refusing peer speaks, if it said so. */
export function servedVersion(fault: Fault): Version | undefined {
  if (Fault.is(fault, 'UnsupportedVersion')) return parseVersion(fault.facts.served);
  const { metadata } = (fault.cause ?? {}) as Partial<ServiceError>;
  const served = metadata?.get(RPC_SERVER_VERSION)[0];
  return served === undefined ? undefined : parseVersion(served.toString());
}
