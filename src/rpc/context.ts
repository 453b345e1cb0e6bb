import { randomUUID } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import type { CastContext } from '../gen/cinder/rpc/v1/casts.js';
import type { RequestContext } from '../objects/request-context.js';
import { PROJECT_ID, REQUEST_ID, ROLES, TRACEPARENT, USER_ID } from './headers.js';

const REQUEST_ID_SYNTAX = /^req-[A-Za-z0-9-]{1,64}$/;

/** The caller's request id if it is one of the form `req-…`, else a new one. */
export function requestIdFrom(metadata: Metadata): string {
  const given = first(metadata, REQUEST_ID);
  return REQUEST_ID_SYNTAX.test(given) ? given : newRequestId();
}

export function newRequestId(): string {
  return `req-${randomUUID()}`;
}

/** Writes a context into the metadata of an internal request. Empty parts are left out. */
export function putContext(metadata: Metadata, context: RequestContext): void {
  if (context.requestId) metadata.set(REQUEST_ID, context.requestId);
  if (context.projectId) metadata.set(PROJECT_ID, context.projectId);
  if (context.userId) metadata.set(USER_ID, context.userId);
  if (context.roles.length > 0) metadata.set(ROLES, context.roles.join(','));
  if (context.traceparent) metadata.set(TRACEPARENT, context.traceparent);
}

/** Reads the context of an internal request, which is trusted: what is not there is empty. */
export function contextFrom(metadata: Metadata): RequestContext {
  return {
    requestId: requestIdFrom(metadata),
    projectId: first(metadata, PROJECT_ID),
    userId: first(metadata, USER_ID),
    roles: rolesFrom(first(metadata, ROLES)),
    traceparent: traceparentFrom(metadata),
  };
}

/** The context of a durable cast as it travels in `Casts/Deliver`. */
export function contextToCast(context: RequestContext): CastContext {
  return { ...context, roles: [...context.roles] };
}

export function contextFromCast(context: CastContext | undefined): RequestContext {
  return {
    requestId: context?.requestId ?? '',
    projectId: context?.projectId ?? '',
    userId: context?.userId ?? '',
    roles: context?.roles ?? [],
    traceparent: context?.traceparent ?? '',
  };
}

/** `member, reader` → both. */
function rolesFrom(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').flatMap((role) => role.trim() || []);
}

/** Of version 00: a trace, a span in it, and whether it is recorded. Rule: W3C Trace Context, §3.2.2. */
const TRACEPARENT_SYNTAX = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/** The caller's trace context; empty when it has none, or what it has is none: rows and logs carry it on. */
export function traceparentFrom(metadata: Metadata): string {
  const given = first(metadata, TRACEPARENT);
  return TRACEPARENT_SYNTAX.test(given) ? given : '';
}

/** The first value of a header as text; empty when it is not there. */
export function first(metadata: Metadata, header: string): string {
  const value = metadata.get(header)[0];
  return value === undefined ? '' : value.toString();
}
