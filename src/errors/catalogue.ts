/** gRPC's status codes, by name; this layer knows no gRPC. */
export type StatusCode =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED';

/** One bad field of a request. */
export interface FieldViolation {
  /** Path of the field as in the proto, e.g. `metadata["__proto__"]`. */
  readonly field: string;
  /** What is wrong and what would be right. */
  readonly description: string;
}

/** One resource that a request is over. Amounts in the resource's own unit. */
export interface Over {
  readonly resource: string;
  readonly limit: number;
  readonly inUse: number;
  readonly reserved: number;
  readonly asked: number;
}

/** How a fact travels: text as it is, a number as decimal text, anything else as JSON. */
export type FactKind = 'text' | 'number' | 'json';

/** A typed marker for a fact; the type parameter exists only for the compiler. */
export interface Fact<T> {
  readonly kind: FactKind;
  readonly type?: T;
}

type FactSpec = Readonly<Record<string, Fact<unknown>>>;
type FactsOf<S extends FactSpec> = { readonly [K in keyof S]: S[K] extends Fact<infer T> ? T : never };

interface Entry<S extends FactSpec> {
  readonly code: StatusCode;
  readonly facts: S;
  readonly message: (facts: FactsOf<S>) => string;
  /** Whether a scheduler may try another backend after it. */
  readonly reschedule: boolean;
  /** Advice for the caller, in ms. */
  readonly retryAfterMs?: number;
}

const text: Fact<string> = { kind: 'text' };
const number: Fact<number> = { kind: 'number' };
const json = <T>(): Fact<T> => ({ kind: 'json' });

/** Shared by the entries about a store that does not answer. */
const RETRY_SOON_MS = 1_000;

function entry<S extends FactSpec>(
  code: StatusCode,
  facts: S,
  message: (facts: FactsOf<S>) => string,
  options: { readonly reschedule?: boolean; readonly retryAfterMs?: number } = {},
): Entry<S> {
  return { code, facts, message, reschedule: options.reschedule ?? true, ...retry(options.retryAfterMs) };
}

function retry(retryAfterMs: number | undefined): { readonly retryAfterMs?: number } {
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

/** Characters of a message that name bad fields; the details name all of them. */
const MAX_VIOLATION_TEXT = 300;

/** How many from the start fit. */
function countWithin(texts: readonly string[], maxLength: number): number {
  let length = 0;
  const firstOver = texts.findIndex((one) => (length += one.length) > maxLength);
  return firstOver < 0 ? texts.length : firstOver;
}

/** Resources named in a message; the details name all of them. */
const MAX_NAMED_RESOURCES = 20;

const consumed = ({ inUse, reserved }: Over): number => inUse + reserved;

/**
 * Every error that crosses a process boundary, by Cinder's name where Cinder has it (`cinder/exception.py`): one entry
 * each, nothing elsewhere. Append-only: names are part of the API.
 */
export const FAULTS = {
  InvalidInput: entry(
    'INVALID_ARGUMENT',
    { violations: json<readonly FieldViolation[]>(), omitted: number },
    ({ violations, omitted }) => {
      const texts = violations.map(({ field, description }) => `${field}: ${description}`);
      const named = texts.slice(0, Math.max(1, countWithin(texts, MAX_VIOLATION_TEXT)));
      const more = texts.length - named.length + omitted;
      return `Invalid input: ${named.join('; ')}${more > 0 ? `; and ${more} more.` : '.'}`;
    },
  ),
  VolumeNotFound: entry('NOT_FOUND', { volumeId: text }, ({ volumeId }) => `Volume ${volumeId} could not be found.`, {
    reschedule: false,
  }),
  MessageNotFound: entry(
    'NOT_FOUND',
    { messageId: text },
    ({ messageId }) => `Message ${messageId} could not be found.`,
    { reschedule: false },
  ),
  ServiceNotFound: entry(
    'NOT_FOUND',
    { binary: text, host: text },
    ({ binary, host }) => `Service ${binary} could not be found on host ${host}.`,
    { reschedule: false },
  ),
  VolumeTypeNotFound: entry(
    'NOT_FOUND',
    { volumeType: text },
    ({ volumeType }) => `Volume type ${volumeType} could not be found.`,
    { reschedule: false },
  ),
  VolumeTypeExists: entry('ALREADY_EXISTS', { name: text }, ({ name }) => `Volume type ${name} already exists.`),
  VolumeTypeInUse: entry(
    'FAILED_PRECONDITION',
    { volumeType: text },
    ({ volumeType }) => `Volume type ${volumeType} cannot be deleted: there are volumes of it.`,
  ),
  VolumeTypeDefaultDeletionError: entry(
    'FAILED_PRECONDITION',
    { volumeType: text },
    ({ volumeType }) =>
      `Volume type ${volumeType} cannot be deleted: it is the default of the installation or of a project.`,
  ),
  VolumeTypeDeletionError: entry(
    'FAILED_PRECONDITION',
    { volumeType: text },
    ({ volumeType }) => `Volume type ${volumeType} cannot be deleted: it is the last one.`,
  ),
  VolumeTypeExtraSpecsNotFound: entry(
    'NOT_FOUND',
    { volumeType: text, key: text },
    ({ volumeType, key }) => `Volume type ${volumeType} has no extra spec ${key}.`,
  ),
  InvalidVolumeType: entry(
    'FAILED_PRECONDITION',
    { volumeType: text, reason: text },
    ({ reason }) => `Invalid volume type: ${reason}`,
  ),
  VolumeTypeAccessExists: entry(
    'ALREADY_EXISTS',
    { volumeType: text, projectId: text },
    ({ volumeType, projectId }) => `Project ${projectId} may use volume type ${volumeType} already.`,
  ),
  VolumeTypeAccessNotFound: entry(
    'NOT_FOUND',
    { volumeType: text, projectId: text },
    ({ volumeType, projectId }) => `Project ${projectId} is not on the list of volume type ${volumeType}.`,
  ),
  VolumeTypeDefaultMisconfigured: entry(
    'INTERNAL',
    { volumeType: text },
    ({ volumeType }) =>
      `The default volume type ${volumeType} does not exist; an operator must set default_volume_type.`,
  ),
  InvalidVolume: entry(
    'FAILED_PRECONDITION',
    { volumeId: text, reason: text },
    ({ reason }) => `Invalid volume: ${reason}`,
  ),
  RevisionMismatch: entry(
    'ABORTED',
    { volumeId: text, expected: number, actual: number },
    ({ volumeId, expected, actual }) =>
      `Volume ${volumeId} has revision ${actual}, not ${expected}: it was changed in the meantime. Read it again.`,
  ),
  VolumeMetadataNotFound: entry(
    'NOT_FOUND',
    { volumeId: text, metadataKey: text },
    ({ volumeId, metadataKey }) => `Volume ${volumeId} has no metadata with key ${metadataKey}.`,
  ),
  InvalidAvailabilityZone: entry(
    'INVALID_ARGUMENT',
    { availabilityZone: text },
    ({ availabilityZone }) => `Availability zone '${availabilityZone}' is invalid: no volume service is in it.`,
  ),
  InvalidTypeAvailabilityZones: entry(
    'INVALID_ARGUMENT',
    { volumeType: text, availabilityZones: text },
    ({ volumeType, availabilityZones }) =>
      `Volume type '${volumeType}' is for the availability zones ${availabilityZones}: no volume service is in one of them.`,
  ),
  VolumeLimitExceeded: entry(
    'RESOURCE_EXHAUSTED',
    { allowed: number, name: text, over: json<readonly Over[]>() },
    ({ allowed, name }) => `Maximum number of volumes allowed (${allowed}) exceeded for quota '${name}'.`,
  ),
  SnapshotLimitExceeded: entry(
    'RESOURCE_EXHAUSTED',
    { allowed: number, name: text, over: json<readonly Over[]>() },
    ({ allowed, name }) => `Maximum number of snapshots allowed (${allowed}) exceeded for quota '${name}'.`,
  ),
  BackupLimitExceeded: entry(
    'RESOURCE_EXHAUSTED',
    { allowed: number, name: text, over: json<readonly Over[]>() },
    ({ allowed, name }) => `Maximum number of backups allowed (${allowed}) exceeded for quota '${name}'.`,
  ),
  GroupLimitExceeded: entry(
    'RESOURCE_EXHAUSTED',
    { allowed: number, name: text, over: json<readonly Over[]>() },
    ({ allowed, name }) => `Maximum number of groups allowed (${allowed}) exceeded for quota '${name}'.`,
  ),
  VolumeSizeExceedsAvailableQuota: entry(
    'RESOURCE_EXHAUSTED',
    { name: text, requested: number, consumed: number, quota: number, over: json<readonly Over[]>() },
    ({ name, requested, quota, consumed }) =>
      `Requested volume or snapshot exceeds allowed ${name} quota. Requested ${requested}G, quota is ${quota}G and ${consumed}G has been consumed.`,
  ),
  VolumeBackupSizeExceedsAvailableQuota: entry(
    'RESOURCE_EXHAUSTED',
    { name: text, requested: number, consumed: number, quota: number, over: json<readonly Over[]>() },
    ({ requested, quota, consumed }) =>
      `Requested backup exceeds allowed backup gigabytes quota. Requested ${requested}G, quota is ${quota}G and ${consumed}G has been consumed.`,
  ),
  VolumeSizeExceedsLimit: entry(
    'RESOURCE_EXHAUSTED',
    { size: number, limit: number, over: json<readonly Over[]>() },
    ({ size, limit }) => `Requested volume size ${size}G is larger than maximum allowed limit ${limit}G.`,
  ),
  UnexpectedOverQuota: entry(
    'RESOURCE_EXHAUSTED',
    { name: text, over: json<readonly Over[]>() },
    ({ name }) => `Unexpected over quota on ${name}.`,
  ),
  QuotaUsageOverflow: entry(
    'RESOURCE_EXHAUSTED',
    { over: json<readonly Over[]>() },
    ({ over }) =>
      `Quota usage would exceed the maximum trackable value: ${over.map((o) => `${o.resource} (${consumed(o)} + ${o.asked})`).join(', ')}.`,
  ),
  QuotaResourceUnknown: entry(
    'NOT_FOUND',
    { unknown: json<readonly string[]>() },
    ({ unknown }) => `Unknown quota resources: ${unknown.slice(0, MAX_NAMED_RESOURCES).join(', ')}.`,
  ),
  InvalidQuotaValue: entry(
    'INVALID_ARGUMENT',
    { unders: json<readonly string[]>() },
    ({ unders }) =>
      `Change would make usage less than 0 for the following resources: ${unders.slice(0, MAX_NAMED_RESOURCES).join(', ')}.`,
  ),
  InvalidReservationExpiration: entry(
    'INVALID_ARGUMENT',
    { expire: text },
    ({ expire }) => `Invalid reservation expiration ${expire}: must be a whole number of ms, from 1 ms to 365 days.`,
  ),
  QuotaReservationExists: entry(
    'ALREADY_EXISTS',
    { reservationId: text, state: text },
    ({ reservationId, state }) =>
      `Reservation ${reservationId} is ${state} already. A new request needs an id of its own.`,
  ),
  QuotaReservationExpired: entry(
    'ABORTED',
    { reservationId: text },
    () => 'The request took longer than its quota reservation lives; nothing was made. Try again.',
    { retryAfterMs: RETRY_SOON_MS },
  ),
  QuotaUnavailable: entry(
    'UNAVAILABLE',
    { reason: text },
    () => 'Quota cannot be decided at the moment; nothing was made. Try again.',
    { retryAfterMs: RETRY_SOON_MS },
  ),
  DatabaseUnavailable: entry(
    'UNAVAILABLE',
    { reason: text },
    () => 'The database cannot be reached at the moment. Try again.',
    { retryAfterMs: RETRY_SOON_MS },
  ),
  DatabaseInUse: entry(
    'FAILED_PRECONDITION',
    { path: text },
    ({ path }) =>
      `The database file ${path} is in use by another process. An embedded database belongs to one process; several processes need PostgreSQL (CINDER_DATABASE_URL=postgres://…).`,
  ),
  DatabaseSchemaUnsupported: entry(
    'FAILED_PRECONDITION',
    { found: text, supported: text, advice: text },
    ({ found, supported, advice }) =>
      `The database has schema ${found}; this program works with ${supported}. ${advice}`,
  ),
  OutcomeUnknown: entry(
    'UNAVAILABLE',
    { resourceId: text },
    // empty: what was asked has no record of its own, or nobody knows which
    ({ resourceId }) =>
      `It is not known yet whether ${resourceId === '' ? 'the request' : resourceId} was accepted. Repeat the request with its idempotency key, or look for the resource.`,
    { retryAfterMs: RETRY_SOON_MS },
  ),
  IdempotencyKeyReused: entry(
    'INVALID_ARGUMENT',
    { key: text },
    ({ key }) => `The idempotency key '${key}' was used before with other parameters.`,
  ),
  IdempotencyKeyInProgress: entry(
    'ABORTED',
    { key: text },
    ({ key }) => `A request with the idempotency key '${key}' is still being decided. Try again.`,
    { retryAfterMs: RETRY_SOON_MS },
  ),
  RequestSuperseded: entry(
    'ABORTED',
    { resourceId: text },
    ({ resourceId }) => `The request for ${resourceId} was undone by a recovery; nothing was made. Try again.`,
    { retryAfterMs: RETRY_SOON_MS },
  ),
  NotBuilt: entry('UNIMPLEMENTED', { what: text }, ({ what }) => `${what} is not built yet in this version.`, {
    reschedule: false,
  }),
  NoSuchMethod: entry('UNIMPLEMENTED', { method: text }, ({ method }) => `There is no method ${method}.`),
  UnsupportedVersion: entry(
    'UNIMPLEMENTED',
    { version: text, method: text, served: text },
    ({ version, method, served }) => `${method} was sent with RPC version ${version}; this service speaks ${served}.`,
  ),
  ServiceTooOld: entry(
    'FAILED_PRECONDITION',
    { binary: text, method: text, needs: text, cap: text },
    ({ binary, method, needs, cap }) => `${method} needs RPC ${needs}; the oldest ${binary} speaks ${cap}.`,
  ),
  UnavailableDuringUpgrade: entry(
    'FAILED_PRECONDITION',
    { action: text },
    ({ action }) => `${action} is unavailable while services are being upgraded.`,
  ),
  NotMyBackend: entry(
    'FAILED_PRECONDITION',
    { target: text },
    ({ target }) => `This process does not serve the backend '${target}'.`,
  ),
  NoValidBackend: entry(
    'RESOURCE_EXHAUSTED',
    { reason: text },
    ({ reason }) => `No valid backend was found. ${reason}`,
    { reschedule: false },
  ),
  UnusableCapability: entry(
    'FAILED_PRECONDITION',
    { pool: text, asker: text, reason: text },
    ({ asker, reason }) => `${asker} cannot compare what a backend reports: ${reason}.`,
    { reschedule: false },
  ),
  SchedulerHostFilterNotFound: entry(
    'INVALID_ARGUMENT',
    { filterName: text },
    ({ filterName }) => `Scheduler Host Filter ${filterName} could not be found.`,
  ),
  SchedulerHostWeigherNotFound: entry(
    'INVALID_ARGUMENT',
    { weigherName: text },
    ({ weigherName }) => `Scheduler Host Weigher ${weigherName} could not be found.`,
  ),
  InvalidParameterValue: entry('INVALID_ARGUMENT', { reason: text }, ({ reason }) => reason),
  ServiceUnavailable: entry(
    'UNAVAILABLE',
    { service: text, reason: text },
    ({ service, reason }) => `${service} cannot be reached: ${reason}`,
    { retryAfterMs: RETRY_SOON_MS },
  ),
  ServiceStopping: entry('UNAVAILABLE', {}, () => 'This process is stopping. Try again.', {
    retryAfterMs: RETRY_SOON_MS,
  }),
  NotAuthenticated: entry('UNAUTHENTICATED', { reason: text }, ({ reason }) => reason),
  PolicyNotAuthorized: entry(
    'PERMISSION_DENIED',
    { action: text },
    ({ action }) => `Policy does not allow ${action} to be performed.`,
  ),
  InvalidScope: entry(
    'PERMISSION_DENIED',
    { needs: text },
    ({ needs }) => `The caller has the system's scope, which is of no project: ${needs}.`,
  ),
  MissingRpcVersion: entry(
    'FAILED_PRECONDITION',
    { header: text },
    ({ header }) =>
      `The request does not say which RPC version it was written for: the metadata '${header}' is missing.`,
  ),
  DeadlineExceeded: entry(
    'DEADLINE_EXCEEDED',
    { what: text },
    ({ what }) => `${what} did not end before the deadline.`,
  ),
  Cancelled: entry('CANCELLED', { what: text }, ({ what }) => `${what} was cancelled.`),
  TooManyRequests: entry(
    'RESOURCE_EXHAUSTED',
    { what: text, limit: number },
    ({ what, limit }) => `More than ${limit} ${what} at the same time. Try again.`,
    { retryAfterMs: RETRY_SOON_MS },
  ),
  TooManyIdempotencyKeys: entry(
    'RESOURCE_EXHAUSTED',
    { limit: number },
    ({ limit }) =>
      `The project has ${limit} idempotency keys already. They are forgotten with time; a request without a key is taken.`,
    { retryAfterMs: 60_000 },
  ),
  WatchTooSlow: entry(
    'RESOURCE_EXHAUSTED',
    { buffered: number },
    ({ buffered }) =>
      `The watch was read too slowly: ${buffered} changes were waiting. Go on from the last resume_token.`,
  ),
  DriverNotInitialized: entry(
    'UNAVAILABLE',
    { backend: text },
    ({ backend }) => `The volume driver of '${backend}' is not initialized.`,
  ),
  MostFilesUnexplained: entry(
    'FAILED_PRECONDITION',
    { backend: text, unexplained: number, explained: number },
    ({ backend, unexplained, explained }) =>
      `${unexplained} files of '${backend}' have no record, and only ${explained} have one: none is put away. ` +
      "Look whether database_url and the backend's path belong together.",
  ),
  VolumeBackendAPIException: entry(
    'INTERNAL',
    { reason: text },
    ({ reason }) => `Bad or unexpected response from the storage backend: ${reason}`,
  ),
  Internal: entry(
    'INTERNAL',
    { requestId: text },
    ({ requestId }) => `An unexpected error occurred; the operators find it in the log under ${requestId}.`,
  ),
} as const;

export type FaultName = keyof typeof FAULTS;
export type Facts<N extends FaultName> = Parameters<(typeof FAULTS)[N]['message']>[0];
