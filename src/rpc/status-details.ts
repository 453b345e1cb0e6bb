import type { FieldViolation, Over } from '../errors/catalogue.js';
import type { Fault } from '../errors/fault.js';
import type { Any } from '../gen/google/protobuf/any.js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RequestInfo,
  ResourceInfo,
  RetryInfo,
} from '../gen/google/rpc/error_details.js';
import type { Wire } from './wire.js';

/** A detail in the list of a `google.rpc.Status`. */
export function pack<T>(name: string, type: Pick<Wire<T>, 'encode'>, value: T): Any {
  return { typeUrl: `${TYPE_PREFIX}${name}`, value: Buffer.from(type.encode(value).finish()) };
}

/** The detail of this type, if the list has one. Throws when its bytes are broken. */
export function unpack<T>(name: string, type: Pick<Wire<T>, 'decode'>, details: readonly Any[]): T | undefined {
  const found = details.find(({ typeUrl }) => typeUrl === `${TYPE_PREFIX}${name}`);
  return found && type.decode(found.value);
}

/** The same; a detail whose bytes are broken is not there. */
export function unpackIfWhole<T>(name: string, type: Pick<Wire<T>, 'decode'>, details: readonly Any[]): T | undefined {
  try {
    return unpack(name, type, details);
  } catch {
    return undefined;
  }
}

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';

/** What an error's place adds to its details. */
export interface Place {
  readonly requestId?: string;
  readonly projectId?: string;
}

export function errorInfo(reason: string, domain: string, facts: ReadonlyMap<string, string>): Any {
  return pack('ErrorInfo', ErrorInfo, { reason, domain, metadata: new Map(facts) });
}

export function badRequest(violations: readonly FieldViolation[]): Any {
  const fieldViolations = violations.map(({ field, description }) => ({ field, description, reason: '' }));
  return pack('BadRequest', BadRequest, { fieldViolations });
}

/** One violation for each resource that is over; the subject is the project, as the quota is its. */
export function quotaFailure(over: readonly Over[], { projectId }: Place): Any {
  return pack('QuotaFailure', QuotaFailure, {
    violations: over.map(({ resource, limit, inUse, reserved, asked }) => ({
      subject: projectId ? `project:${projectId}` : resource,
      description: `${resource}: limit ${limit}, in use ${inUse}, reserved ${reserved}, asked ${asked}`,
      apiService: '',
      quotaMetric: resource,
      quotaId: '',
      quotaDimensions: new Map(),
      quotaValue: limit,
    })),
  });
}

/** For a thing that is in the wrong state for what was asked. */
export function preconditionFailure(type: string, subject: string, description: string): Any {
  return pack('PreconditionFailure', PreconditionFailure, { violations: [{ type, subject, description }] });
}

export function resourceInfo(resourceType: string, resourceName: string, { projectId = '' }: Place): Any {
  return pack('ResourceInfo', ResourceInfo, {
    resourceType,
    resourceName,
    owner: projectId ? `project:${projectId}` : '',
    description: '',
  });
}

export function retryInfo(fault: Fault): Any | undefined {
  const ms = fault.retryAfterMs;
  if (ms === undefined) return undefined;
  return pack('RetryInfo', RetryInfo, {
    retryDelay: { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 },
  });
}

export function requestInfo(requestId: string): Any {
  return pack('RequestInfo', RequestInfo, { requestId, servingData: '' });
}
