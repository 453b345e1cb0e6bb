/**
 * Names of a log line's fields, so that one search finds the same thing in every service. A line may carry details of its
 * own beside them, in camelCase and with units in the name (`ageMs`, `sizeGib`).
 */
export interface LogFields {
  /** `req-<uuid>`: the same through API, scheduler and volume service. */
  readonly requestId?: string | undefined;
  /** Of the W3C trace context, 32 hex digits: finds the trace that belongs to the line. */
  readonly traceId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly userId?: string | undefined;
  /** `volume`, `snapshot`, …; with `resourceId`. */
  readonly resourceType?: string | undefined;
  readonly resourceId?: string | undefined;
  /** Cinder's name of the flow, e.g. `volume_create_api`. */
  readonly flow?: string | undefined;
  /** Cinder's name of the task, e.g. `QuotaReserve`. */
  readonly task?: string | undefined;
  /** State a flow or task went into, in TaskFlow's words. */
  readonly state?: string | undefined;
  /** The part of the product that says it, e.g. `cinder.volume`: its level can be set by itself. */
  readonly logger?: string | undefined;
  /** `cinder-api`, `cinder-scheduler` or `cinder-volume`. */
  readonly binary?: string | undefined;
  readonly host?: string | undefined;
  /** `host@backend`. */
  readonly backend?: string | undefined;
  /** Full name of an RPC, e.g. `cinder.api.v3.Volumes/CreateVolume`. */
  readonly method?: string | undefined;
  /** gRPC's status code, by name. */
  readonly code?: string | undefined;
  readonly durationMs?: number | undefined;
  /** What was thrown. Its stack is written at level error only. */
  readonly error?: unknown;
  readonly [detail: string]: unknown;
}
