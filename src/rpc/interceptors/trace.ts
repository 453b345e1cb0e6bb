import type { Metadata } from '@grpc/grpc-js';
import { traceparentFrom } from '../context.js';
import { TRACEPARENT } from '../headers.js';

/** A call that is being traced. */
export interface CallSpan {
  /** W3C trace context of what the call makes happen. */
  readonly traceparent: string;
  /** `code`: gRPC's status code by name. */
  end(code: string): void;
}

/** Begins a span for a call; undefined: this one is not traced. `traceparent`: of who calls, empty for nobody. */
export type TraceCall = (path: string, traceparent: string, requestId: string) => CallSpan | undefined;

/**
 * Begins the span of a call, which from here on is what the metadata name as the parent: a server's context and a client's
 * request carry it on. Returns what ends it.
 */
export function traced(
  trace: TraceCall | undefined,
  path: string,
  { metadata, requestId }: { readonly metadata: Metadata; readonly requestId: string },
): (code: string) => void {
  const span = trace?.(path, traceparentFrom(metadata), requestId);
  if (!span) return untraced;
  metadata.set(TRACEPARENT, span.traceparent);
  return (code) => span.end(code);
}

function untraced(): void {
  // nobody looks
}
