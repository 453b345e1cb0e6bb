import type { Registry } from 'prom-client';
import { Counter, type Count, type Distribution, Histogram, SHORT_S } from './series.js';

/** Told of every call, of a server or of a client. */
export interface CallMetrics {
  /** `path`: `/package.Service/Method`. */
  started(path: string): void;
  /** `code`: gRPC's status code by name, e.g. `NOT_FOUND`. */
  handled(path: string, code: string, elapsedMs: number): void;
}

/** What is counted of one method. */
interface MethodSeries {
  readonly labels: readonly [type: string, service: string, method: string];
  readonly started: Count;
  readonly seconds: Distribution;
  readonly handled: Map<string, Count>;
}

/**
 * The usual metrics of gRPC under their usual names, labels and codes, so that the dashboards that exist can be used.
 * `streaming`: paths of the methods that answer with a stream. Rule: github.com/grpc-ecosystem/go-grpc-prometheus.
 */
export function callMetrics(
  registry: Registry,
  side: 'server' | 'client',
  streaming: ReadonlySet<string>,
): CallMetrics {
  const labels = ['grpc_type', 'grpc_service', 'grpc_method'] as const;
  const handledHere = side === 'server' ? 'handled by the servers of this process' : 'made to other services';
  const started = new Counter(
    { name: `grpc_${side}_started_total`, help: `RPCs begun, ${handledHere}.`, labels },
    registry,
  );
  const handled = new Counter(
    {
      name: `grpc_${side}_handled_total`,
      help: `RPCs ended, ${handledHere}, whatever their outcome.`,
      labels: [...labels, 'grpc_code'],
    },
    registry,
  );
  const seconds = new Histogram(
    {
      name: `grpc_${side}_handling_seconds`,
      help: `How long RPCs took, ${handledHere}; of streams, how long they were open.`,
      labels,
    },
    SHORT_S,
    registry,
  );
  const methods = new Map<string, MethodSeries>();

  /** One look into a map instead of one for each metric. */
  const of = (path: string): MethodSeries => {
    const known = methods.get(path);
    if (known) return known;
    const [, service = '', method = ''] = path.split('/');
    const names = [streaming.has(path) ? 'server_stream' : 'unary', service, method] as const;
    const series = {
      labels: names,
      started: started.with(...names),
      seconds: seconds.with(...names),
      handled: new Map<string, Count>(),
    };
    methods.set(path, series);
    return series;
  };

  return {
    started: (path) => of(path).started.inc(),
    handled(path, code, elapsedMs) {
      const method = of(path);
      let count = method.handled.get(code);
      if (!count) method.handled.set(code, (count = handled.with(...method.labels, codeName(code))));
      count.inc();
      method.seconds.observe(elapsedMs / 1_000);
    },
  };
}

/** `NOT_FOUND` as Go and the dashboards write it: `NotFound`; `CANCELLED` there has one l. */
function codeName(code: string): string {
  if (code === 'OK') return code;
  if (code === 'CANCELLED') return 'Canceled';
  return code.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
