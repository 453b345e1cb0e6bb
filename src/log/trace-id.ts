/** The trace in a W3C trace context, `00-<trace id>-<span id>-<flags>`; undefined for an empty one. */
export function traceIdOf(traceparent: string): string | undefined {
  return traceparent === '' ? undefined : traceparent.split('-', 2)[1];
}
