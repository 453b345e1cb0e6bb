/** Told of every call a server handles, for metrics. */
export interface CallObserver {
  /** `path`: `/package.Service/Method`. */
  started(path: string): void;
  /** `code`: gRPC's status code by name. */
  handled(path: string, code: string, elapsedMs: number): void;
}

/** Tells the observer of a call now, and of its end when the result is called. */
export function observed(observer: CallObserver | undefined, path: string): (code: string) => void {
  if (!observer) return nobody;
  const startedAt = performance.now();
  observer.started(path);
  return (code) => observer.handled(path, code, performance.now() - startedAt);
}

function nobody(): void {
  // nobody is told
}
