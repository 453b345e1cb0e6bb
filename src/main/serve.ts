import { randomUUID } from 'node:crypto';
import type { Config } from '../config/schema.js';
import { createLog } from '../log/log.js';
import { Reconciler } from '../quota/reconciler.js';
import { Recovery } from '../quota/recovery.js';
import { api } from './api.js';
import { chargedResources } from './charged-resources.js';
import { foundation, type Foundation, type FoundationExtras } from './foundation.js';
import { quotaObservers } from './observers.js';
import { purging, retentionOf } from './purging.js';
import { type QuotaEngine, quotaEngine } from './quota.js';
import { scheduler } from './scheduler.js';
import type { Service } from './service.js';
import { serviceManager } from './service-manager.js';
import type { Telemetry } from './telemetry.js';
import { volume } from './volume.js';

export type ServiceName = 'api' | 'scheduler' | 'volume';

/** Services that run in this process. */
export interface Running {
  readonly addresses: { readonly [Name in ServiceName]?: string };
  /** Where metrics and health are, `host:port`; undefined: nowhere. */
  readonly metricsAddress: string | undefined;
  /** Reads again what may change while they run: the log level, and what else `reload.ts` knows. Never rejects. */
  reload(): Promise<void>;
  /** Stops them in order, in a bounded time. Safe to repeat. */
  stop(): Promise<void>;
}

/** Between two rounds of the reconciler; an interval that is shorter sets the pace. */
const RECONCILE_PERIOD_MS = 10_000;
/** Exit code of a process that must not go on: others take over its work. */
const EXIT_FENCED = 70;

/** Starts services of this process, bottom first. Throws when one cannot start; then none runs. */
export async function serve(
  config: Config,
  names: readonly ServiceName[],
  extras: FoundationExtras = {},
): Promise<Running> {
  const log = createLog({ level: config.logLevel, format: config.logFormat, stream: process.stderr });
  const end = (reason: string): void => {
    log.error('this process ends: others take over its work', { reason });
    process.exit(EXIT_FENCED);
  };
  const manager = serviceManager({ environment: process.env, pid: process.pid, log });
  const stops: ((graceMs: number) => Promise<void>)[] = [async () => manager.close()];
  const stop = async (graceMs: number): Promise<void> => {
    const endsAt = performance.now() + graceMs;
    for (const one of stops.splice(0).reverse()) {
      await one(Math.max(0, endsAt - performance.now())).catch((error: unknown) =>
        log.error('something did not stop in good order', { error }),
      );
    }
  };
  try {
    const parts = await foundation(config, log, { services: names, ...extras });
    stops.push(() => parts.close());
    const quota = await quotaEngine(parts);
    stops.push(() => quota.close());
    const running = new Map<ServiceName, Service>();
    const serving = servingOf(parts.telemetry, names);
    for (const name of ORDER.filter((one) => names.includes(one))) {
      const service = await SERVICES[name](parts, quota, end);
      running.set(name, service);
      serving.add(name);
      stops.push((graceMs) => {
        serving.delete(name);
        return service.stop(graceMs);
      });
      log.info('a service has started', { service: name, address: service.address });
    }
    stops.push(...background(parts, quota));
    parts.sender.start();
    const addresses = Object.fromEntries([...running].map(([name, { address }]) => [name, address]));
    await manager.ready(`serving ${Object.entries(addresses).flat().join(' ')}`);
    let stopped: Promise<void> | undefined;
    const stopOnce = async (): Promise<void> => {
      // before anything else: a balancer must see it while requests are still answered
      parts.telemetry.readiness.drain();
      void manager.stopping();
      // all at once: the last to stop must not go on taking work until the others have ended
      for (const service of running.values()) service.drain();
      await stop(config.gracefulShutdownTimeoutMs);
    };
    return {
      addresses,
      metricsAddress: parts.telemetry.address,
      reload: () => parts.reloads.run(),
      stop: () => (stopped ??= stopOnce()),
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/** Those who are called start before those who call, so that a first request finds everybody. */
const ORDER: readonly ServiceName[] = ['scheduler', 'volume', 'api'];

const SERVICES: Readonly<
  Record<ServiceName, (parts: Foundation, quota: QuotaEngine, end: (reason: string) => void) => Promise<Service>>
> = {
  scheduler: (parts, { redis }, end) => scheduler(parts, redis, end),
  volume,
  api,
};

/** The services that take requests now; who asks, by HTTP or by metric, is told of all that shall. */
function servingOf({ metrics, readiness }: Telemetry, names: readonly ServiceName[]): Set<ServiceName> {
  const serving = new Set<ServiceName>();
  for (const name of names) {
    readiness.add(name, () => (serving.has(name) ? { ready: true } : { ready: false, reason: 'it does not serve' }));
  }
  metrics.work.serving.from(() => names.map((name) => [serving.has(name) ? 1 : 0, name] as const));
  return serving;
}

/** What every process does beside its services. */
function background(
  { config, log: all, store, sender, telemetry }: Foundation,
  { settlements, rebuild, check }: QuotaEngine,
): ((graceMs: number) => Promise<void>)[] {
  const log = all.logger('cinder.quota');
  const dbLog = all.logger('cinder.db');
  const recovery = new Recovery({
    store,
    settlements,
    rebuild,
    resources: chargedResources,
    owner: randomUUID(),
    flowDeadlineMs: config.apiFlowDeadlineMs,
    downAfterMs: config.serviceDownTimeMs,
    log,
    ...quotaObservers(telemetry.metrics).recovery,
  });
  recovery.start();

  const intervalMs = config.quotaReconcileIntervalMs;
  const periodMs = Math.min(RECONCILE_PERIOD_MS, intervalMs);
  const reconciler = new Reconciler({ store, check, intervalMs, periodMs, log });
  if (intervalMs > 0) reconciler.start();

  const stopPurging = purging({ store, retention: retentionOf(config), log: dbLog });

  return [() => sender.stop(), () => recovery.stop(), () => reconciler.stop(), stopPurging];
}
