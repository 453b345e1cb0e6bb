/** On whose behalf a call was made; empty where nobody knows. */
export interface Caller {
  readonly requestId: string;
  readonly projectId: string;
  /** W3C trace context. */
  readonly traceparent: string;
}

/** Told of every call a server handles or a client makes, for metrics and the log. */
export interface CallObserver {
  /** `path`: `/package.Service/Method`. */
  started(path: string): void;
  /** `code`: gRPC's status code by name. */
  handled(path: string, code: string, elapsedMs: number, caller: Caller): void;
}

/** Tells the observer of a call now, and of its end when the result is called. */
export function observed(observer: CallObserver | undefined, path: string): (code: string, caller: Caller) => void {
  if (!observer) return nobody;
  const startedAt = performance.now();
  observer.started(path);
  return (code, caller) => observer.handled(path, code, performance.now() - startedAt, caller);
}

function nobody(): void {
  // nobody is told
}
