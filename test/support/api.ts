import { randomUUID } from 'node:crypto';
import { status as Code, type Metadata } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { BadRequest, ErrorInfo, QuotaFailure, RetryInfo } from '#src/gen/google/rpc/error_details.js';
import { Status } from '#src/gen/google/rpc/status.js';
import type { AnyMethod, RequestOf, ResponseOf } from '#src/rpc/service-definition.js';
import { unpack } from '#src/rpc/status-details.js';
import { type Answer, bareClient, callBare } from './rpc.js';

/** Calls the API with the headers as they are. */
export type Caller = <M extends AnyMethod>(
  method: M,
  request: RequestOf<M>,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer<ResponseOf<M>>>;

/** A caller of a project's member, closed with the test. Headers given with a call are added to the project's. */
export function callerFor(
  t: ExecutionContext,
  { address }: { readonly address: string },
  projectId: string = newProject(),
): Caller {
  const client = bareClient(t, { address });
  return (method, request, headers = {}) =>
    callBare(client, method, request, { 'x-project-id': projectId, ...headers });
}

/** A project that no other test knows. */
export const newProject = (): string => `project-${randomUUID()}`;

export const ADMIN = { 'x-roles': 'admin' } as const;

/** A method whose request is bytes already. */
type Raw<M extends AnyMethod> = Omit<M, 'requestSerialize' | 'requestDeserialize'> & {
  readonly requestSerialize: (bytes: Buffer) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Buffer;
};

/** The method, for requests that no encoder would write. */
export function raw<M extends AnyMethod>(method: M): Raw<M> {
  const asItIs = (bytes: Buffer): Buffer => bytes;
  return { ...method, requestSerialize: asItIs, requestDeserialize: asItIs };
}

/** What an error says of itself, with the details that are in it. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly reason: string;
  readonly domain: string;
  readonly facts: Readonly<Record<string, string>>;
  /** Of BadRequest: the bad fields, each once. */
  readonly fields: readonly string[];
  /** Of QuotaFailure: resource, limit, in use, reserved and asked, in words. */
  readonly quota: readonly string[];
  /** Of RetryInfo; undefined: no advice. */
  readonly retryMs: number | undefined;
}

/** The refusal in an answer. Throws when it is none. */
export function refused(answer: Answer<unknown>): Refusal {
  if (!answer.error) throw new Error(`it was not refused: ${JSON.stringify(answer.response)}`);
  return refusalIn(answer.error);
}

/** The response in an answer. Throws the error it was. */
export function answered<T>({ response, error }: Answer<T>): T {
  if (error) throw error;
  if (response === undefined) throw new Error('the answer has no response');
  return response;
}

/** Reads an error of a gRPC client. */
export function refusalIn(error: {
  readonly code: Code;
  readonly details: string;
  readonly metadata: Metadata;
}): Refusal {
  const bytes = error.metadata.get('grpc-status-details-bin')[0];
  const details = Buffer.isBuffer(bytes) ? Status.decode(bytes).details : [];
  const info = unpack('ErrorInfo', ErrorInfo, details);
  const delay = unpack('RetryInfo', RetryInfo, details)?.retryDelay;
  const fields = (unpack('BadRequest', BadRequest, details)?.fieldViolations ?? []).map(({ field }) => field);
  return {
    code: Code[error.code],
    message: error.details,
    reason: info?.reason ?? '',
    domain: info?.domain ?? '',
    facts: Object.fromEntries(info?.metadata ?? []),
    fields: [...new Set(fields)],
    quota: (unpack('QuotaFailure', QuotaFailure, details)?.violations ?? []).map(({ description }) => description),
    retryMs: delay && delay.seconds * 1_000 + delay.nanos / 1_000_000,
  };
}
