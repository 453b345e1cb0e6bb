import { Metadata, type ServiceError, status as Code } from '@grpc/grpc-js';
import {
  FAULTS,
  type FactKind,
  type Facts,
  type FaultName,
  type FieldViolation,
  type Over,
} from '../errors/catalogue.js';
import { Fault, nameOfReason } from '../errors/fault.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { BadRequest, ErrorInfo } from '../gen/google/rpc/error_details.js';
import { Status } from '../gen/google/rpc/status.js';
import { RemoteError } from './remote-error.js';
import {
  badRequest,
  errorInfo,
  type Place,
  preconditionFailure,
  quotaFailure,
  requestInfo,
  resourceInfo,
  retryInfo,
  unpack,
} from './status-details.js';

/** What grpc-js takes for a status. */
export interface WireStatus {
  readonly code: Code;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Domain of every `google.rpc.ErrorInfo` of ours. */
export const ERROR_DOMAIN = 'cinder-grpc';

const DETAILS = 'grpc-status-details-bin';
/** Most violations one answer lists; the rest is counted. */
const MAX_VIOLATIONS = 50;
/** Most resources one answer says to be over: a request charges no more. */
const MAX_OVER = 6;
/** In bytes. Peers refuse more than 8 KiB of trailers: gRPC's C core by default, and proxies. */
const MAX_VIOLATION_BYTES = 3_600;
const MAX_OVER_BYTES = 1_000;
/** What an entry of a list takes beside its texts. */
const ENTRY_BYTES = 8;
const MAX_TEXT_BYTES = 400;

/** A fault as a gRPC status with its details (AIP-193). The metadata is fresh: the caller may add to it. */
export function statusOf(fault: Fault, place: Place = {}): WireStatus {
  const sent = bounded(fault);
  const code = Code[sent.code];
  const details = [errorInfo(sent.reason, ERROR_DOMAIN, factsOut(sent)), ...detailsOf(sent, place)];
  const message = wellFormed(sent.message);
  const metadata = new Metadata();
  metadata.set(DETAILS, Buffer.from(Status.encode({ code, message, details }).finish()));
  return { code, details: message, metadata };
}

/**
 * The fault that a peer answered with; a RemoteError with its code and message where the catalogue has no such fault or the
 * answer is not one of ours.
 */
export function faultFromServiceError(error: ServiceError): Fault | RemoteError {
  const details = statusDetails(error);
  const info = attempt(() => unpack('ErrorInfo', ErrorInfo, details));
  const name = info?.domain === ERROR_DOMAIN ? nameOfReason(info.reason) : undefined;
  const fault = name && info && attempt(() => new Fault(name, factsIn(name, info.metadata, details), { cause: error }));
  const code = Code[error.code] as string | undefined;
  return (
    fault ?? new RemoteError(error.details || error.message, code ?? 'UNKNOWN', info?.reason ?? '', { cause: error })
  );
}

/** Whether this is an error of a gRPC client. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

function detailsOf(fault: Fault, place: Place): Any[] {
  const facts = fault.facts as Partial<Record<string, unknown>>;
  return [
    Fault.is(fault, 'InvalidInput') && badRequest(fault.facts.violations),
    Array.isArray(facts['over']) && quotaFailure(facts['over'] as Over[], place),
    Fault.is(fault, 'InvalidVolume') &&
      preconditionFailure('STATUS', `volume:${fault.facts.volumeId}`, fault.facts.reason),
    resourceOf(facts, place),
    retryInfo(fault),
    place.requestId && requestInfo(place.requestId),
  ].filter((detail) => typeof detail === 'object');
}

/** The thing an error is about, by the fact that names it. */
function resourceOf(facts: Partial<Record<string, unknown>>, place: Place): Any | undefined {
  const { volumeId, volumeType, resourceId } = facts;
  if (typeof volumeId === 'string') return resourceInfo('cinder.api.v3.Volume', volumeId, place);
  if (typeof volumeType === 'string') return resourceInfo('cinder.api.v3.VolumeType', volumeType, {});
  return typeof resourceId === 'string' ? resourceInfo('', resourceId, place) : undefined;
}

/** The same fault in a size that every peer accepts. */
function bounded(fault: Fault): Fault {
  const facts: Record<string, unknown> = { ...fault.facts };
  for (const [key, value] of Object.entries(facts)) if (typeof value === 'string') facts[key] = wellFormed(value);
  // each resource is said twice, as a fact and in the QuotaFailure with the project's id
  if (Array.isArray(facts['over'])) facts['over'] = firstOf(facts['over'] as Over[], MAX_OVER, MAX_OVER_BYTES);
  if (Fault.is(fault, 'InvalidInput')) {
    const violations = firstOf(fault.facts.violations, MAX_VIOLATIONS, MAX_VIOLATION_BYTES);
    const omitted = fault.facts.omitted + fault.facts.violations.length - violations.length;
    return new Fault('InvalidInput', { violations, omitted });
  }
  return new Fault(fault.name, facts); // the same keys, with shorter values
}

/** As many from the start as fit, their texts shortened. */
function firstOf<T extends object>(list: readonly T[], maxCount: number, maxBytes: number): T[] {
  const kept: T[] = [];
  let bytes = 0;
  for (const item of list.slice(0, maxCount)) {
    const texts = Object.entries(item).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === 'string' ? wellFormed(value) : value,
    ]);
    const short = Object.fromEntries(texts) as T;
    bytes +=
      ENTRY_BYTES + Object.values(short).reduce((sum: number, value) => sum + Buffer.byteLength(String(value)), 0);
    if (bytes > maxBytes) break;
    kept.push(short);
  }
  return kept;
}

/** Violations are left to BadRequest, so that nothing travels twice. */
function factsOut(fault: Fault): Map<string, string> {
  const values = fault.facts as Readonly<Record<string, unknown>>;
  const entries = Object.entries(kindsOf(fault.name)).filter(([key]) => key !== 'violations');
  return new Map(
    entries.map(([key, { kind }]) => [key, kind === 'json' ? JSON.stringify(values[key]) : String(values[key])]),
  );
}

function factsIn<N extends FaultName>(
  name: N,
  metadata: ReadonlyMap<string, string>,
  details: readonly Any[],
): Facts<N> {
  const facts = Object.entries(kindsOf(name)).map(([key, { kind }]) => {
    if (key === 'violations') return [key, violationsIn(details)];
    const text = metadata.get(key);
    if (text === undefined) throw new Error(`the peer's ${name} has no fact ${key}`);
    if (kind === 'json') return [key, JSON.parse(text) as unknown];
    return [key, kind === 'number' ? Number(text) : text];
  });
  return Object.fromEntries(facts) as Facts<N>;
}

function violationsIn(details: readonly Any[]): FieldViolation[] {
  const { fieldViolations = [] } = unpack('BadRequest', BadRequest, details) ?? {};
  return fieldViolations.map(({ field, description }) => ({ field, description }));
}

function kindsOf(name: FaultName): Readonly<Record<string, { readonly kind: FactKind }>> {
  return FAULTS[name].facts;
}

/** The details of an error's `google.rpc.Status`; none where it has none that can be read. */
export function statusDetails(error: ServiceError): readonly Any[] {
  const bytes = error.metadata.get(DETAILS)[0];
  if (!Buffer.isBuffer(bytes)) return [];
  return attempt(() => Status.decode(bytes).details) ?? [];
}

/** A peer's bytes are not worth an exception: what cannot be read is not there. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** At most MAX_TEXT_BYTES, and no half of a surrogate pair: grpc-js throws on one. */
function wellFormed(text: string): string {
  const whole = text.replace(/\p{Surrogate}/gu, '\uFFFD');
  if (Buffer.byteLength(whole) <= MAX_TEXT_BYTES) return whole;
  const short = Buffer.from(whole)
    .subarray(0, MAX_TEXT_BYTES - 3)
    .toString();
  return `${short.replace(/\uFFFD+$/, '')}…`;
}
