import { type ServiceError, status as Code } from '@grpc/grpc-js';
import type { FieldViolation } from '../errors/catalogue.js';
import { type Fault, isFault } from '../errors/fault.js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RequestInfo,
  RetryInfo,
} from '../gen/google/rpc/error_details.js';
import { faultFromServiceError, statusDetails } from '../rpc/faults-on-the-wire.js';
import { unpackIfWhole } from '../rpc/status-details.js';

/** gRPC's status codes, by name. */
export type ErrorCode = Exclude<keyof typeof Code, 'OK'>;

/** One limit that a request is over. */
export interface QuotaViolation {
  /** Whose quota, `project:<id>`. */
  readonly subject: string;
  /** e.g. `gigabytes`. */
  readonly resource: string;
  readonly limit: number;
  /** The limit, what is in use, reserved and asked, in words. */
  readonly description: string;
}

/** One thing in the wrong state. */
export interface PreconditionViolation {
  /** e.g. `STATUS`. */
  readonly type: string;
  /** e.g. `volume:<id>`. */
  readonly subject: string;
  readonly description: string;
}

/** What an error says beside its code and message. */
export interface ErrorFacts {
  /** Stable, UPPER_SNAKE, e.g. `VOLUME_NOT_FOUND`: see docs/errors.md. Empty: the transport's own error. */
  readonly reason: string;
  /** Find the call in the services' logs by it. */
  readonly requestId: string;
  /** All bad fields of the request. */
  readonly violations?: readonly FieldViolation[];
  /** All limits that the request is over. */
  readonly quota?: readonly QuotaViolation[];
  readonly preconditions?: readonly PreconditionViolation[];
  /** How long to wait before trying again, ms; undefined: no advice. */
  readonly retryAfterMs?: number | undefined;
  /** The same with typed facts, if this version knows the reason: `Fault.is(error.fault, 'VolumeNotFound')`. */
  readonly fault?: Fault | undefined;
}

/** The one error of the client: how a call ended, and all that the service said about it. */
export class CinderError extends Error implements ErrorFacts {
  override readonly name = 'CinderError';
  readonly reason: string;
  readonly requestId: string;
  readonly violations: readonly FieldViolation[];
  readonly quota: readonly QuotaViolation[];
  readonly preconditions: readonly PreconditionViolation[];
  readonly retryAfterMs: number | undefined;
  readonly fault: Fault | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    facts: ErrorFacts,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.reason = facts.reason;
    this.requestId = facts.requestId;
    this.violations = facts.violations ?? [];
    this.quota = facts.quota ?? [];
    this.preconditions = facts.preconditions ?? [];
    this.retryAfterMs = facts.retryAfterMs;
    this.fault = facts.fault;
  }
}

/** Narrows to an error of the client; with a reason, to that one. */
export function isCinderError(error: unknown, reason?: string): error is CinderError {
  return error instanceof CinderError && (reason === undefined || error.reason === reason);
}

/** What the transport gave, with the details that came with it. `requestId`: of the call. */
export function cinderError(error: ServiceError, requestId: string): CinderError {
  const details = statusDetails(error);
  const retry = unpackIfWhole('RetryInfo', RetryInfo, details)?.retryDelay;
  const fault = faultFromServiceError(error);
  return new CinderError(
    (Code[error.code] as ErrorCode | undefined) ?? 'UNKNOWN',
    error.details || error.message,
    {
      reason: unpackIfWhole('ErrorInfo', ErrorInfo, details)?.reason ?? '',
      requestId: unpackIfWhole('RequestInfo', RequestInfo, details)?.requestId || requestId,
      violations: (unpackIfWhole('BadRequest', BadRequest, details)?.fieldViolations ?? []).map(
        ({ field, description }) => ({ field, description }),
      ),
      quota: (unpackIfWhole('QuotaFailure', QuotaFailure, details)?.violations ?? []).map(
        ({ subject, quotaMetric, quotaValue, description }) => ({
          ...{ subject, description, resource: quotaMetric },
          limit: quotaValue,
        }),
      ),
      preconditions: unpackIfWhole('PreconditionFailure', PreconditionFailure, details)?.violations ?? [],
      retryAfterMs: retry && retry.seconds * 1_000 + retry.nanos / 1_000_000,
      fault: isFault(fault) ? fault : undefined,
    },
    { cause: error },
  );
}
