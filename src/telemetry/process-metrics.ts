import { readdirSync } from 'node:fs';
import { constants, monitorEventLoopDelay, performance, PerformanceObserver } from 'node:perf_hooks';
import type { Registry } from 'prom-client';
import { Histogram, Readings, SHORT_S } from './series.js';

const GC_KINDS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);

/**
 * What is measured of the process itself, under the names that Prometheus' own clients use. prom-client's default metrics
 * would do, but what they observe with can never be ended again. Returns what ends it.
 */
export function processMetrics(registry: Registry, version: string): () => void {
  const gauge = (name: string, help: string, read: () => number): void =>
    void new Readings({ name, help }, registry).from(() => [[read()]]);
  const startedAt = Date.now() / 1_000 - process.uptime();

  new Readings(
    { name: 'process_cpu_seconds_total', help: 'CPU time used, user and system.' },
    registry,
    'counter',
  ).from(() => {
    const { user, system } = process.cpuUsage();
    return [[(user + system) / 1e6]];
  });
  gauge('process_start_time_seconds', 'When the process started, seconds since 1970.', () => startedAt);
  gauge('process_resident_memory_bytes', 'Memory that the process holds.', () => process.memoryUsage.rss());
  gauge('process_open_fds', 'Open files, sockets included.', openFiles);
  gauge('nodejs_heap_used_bytes', "Part of JavaScript's heap that is in use.", () => process.memoryUsage().heapUsed);
  new Readings(
    {
      name: 'cinder_build_info',
      help: 'Always 1; says which version runs on which Node.',
      labels: ['version', 'node'],
    },
    registry,
  ).from(() => [[1, version, process.versions.node]]);

  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  gauge('nodejs_eventloop_lag_p99_seconds', 'How late timers were since the last scrape, 99 % of the time.', () => {
    const lag = Math.max(0, delay.percentile(99) / 1e9 - 0.02);
    delay.reset();
    return lag;
  });
  let used = performance.eventLoopUtilization();
  gauge(
    'nodejs_eventloop_utilization_ratio',
    'Part of the time since the last scrape in which the loop was busy.',
    () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, used);
      used = now;
      return utilization;
    },
  );

  const pauses = new Histogram(
    { name: 'nodejs_gc_duration_seconds', help: 'Pauses for garbage collection.', labels: ['kind'] },
    SHORT_S,
    registry,
  );
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // entries of type gc have more than node's typings know of entries
      const { duration, detail } = entry as typeof entry & { readonly detail?: { readonly kind: number } };
      const kind = detail?.kind ?? 0;
      pauses.with(GC_KINDS.get(kind) ?? 'other').observe(duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });

  return () => {
    delay.disable();
    observer.disconnect();
  };
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return NaN; // no Linux
  }
}
