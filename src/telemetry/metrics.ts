import { Registry } from 'prom-client';
import { type CallMetrics, callMetrics } from './grpc-metrics.js';
import { processMetrics } from './process-metrics.js';
import { quotaMetrics, storageMetrics } from './quota-metrics.js';
import { schedulerMetrics } from './scheduler-metrics.js';
import { workMetrics } from './work-metrics.js';

/** Every metric of a process. Labels are names of ours, never ids, projects or hosts, so that their number is bounded. */
export interface Metrics {
  readonly registry: Registry;
  readonly server: CallMetrics;
  readonly client: CallMetrics;
  readonly work: ReturnType<typeof workMetrics>;
  readonly quota: ReturnType<typeof quotaMetrics>;
  readonly storage: ReturnType<typeof storageMetrics>;
  readonly scheduler: ReturnType<typeof schedulerMetrics>;
  /** Ends what observes the process. */
  close(): void;
}

export interface MetricsOptions {
  /** Of the product. */
  readonly version: string;
  /** Paths of the methods that answer with a stream. */
  readonly streaming: ReadonlySet<string>;
}

/** Makes a process's metrics, in a registry of their own. */
export function createMetrics({ version, streaming }: MetricsOptions): Metrics {
  const registry = new Registry();
  return {
    registry,
    server: callMetrics(registry, 'server', streaming),
    client: callMetrics(registry, 'client', streaming),
    work: workMetrics(registry),
    quota: quotaMetrics(registry),
    storage: storageMetrics(registry),
    scheduler: schedulerMetrics(registry),
    close: processMetrics(registry, version),
  };
}
