import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { asVersion, knowsAs } from '../casts/as-version.js';
import { CastReceiver } from '../casts/receiver.js';
import { aheadOfDisk } from '../db/ahead-of-disk.js';
import { databaseNow } from '../db/worker-cleanup.js';
import type { BackendOptions } from '../config/backends.js';
import type { Config } from '../config/schema.js';
import { FileDriver, type PoolOptions } from '../drivers/file/file-driver.js';
import { VolumeManagerService } from '../gen/cinder/volume/v3/volume_manager.js';
import { internalServer } from '../rpc/versioned-server.js';
import { formatVersion } from '../rpc/version-number.js';
import { Backend } from '../volume/backend.js';
import { Backends } from '../volume/backends.js';
import type { CapabilityReport } from '../volume/capabilities.js';
import { CapabilityReporter } from '../volume/capability-reporter.js';
import { volumeCalls } from '../volume/calls.js';
import type { Metrics } from '../telemetry/metrics.js';
import { volumeManager } from '../volume/manager.js';
import { putAwayLeftovers } from '../volume/leftovers.js';
import { OrphanSweep } from '../volume/orphan-sweep.js';
import { resumeParked } from '../volume/parked-deletions.js';
import { cleanupLog } from './cleanup-log.js';
import type { Foundation } from './foundation.js';
import { measuredDriver } from './measured-driver.js';
import { nobody } from './nobody.js';
import { orphanMetrics, receiverMetrics } from './observers.js';
import { present } from './present.js';
import type { QuotaEngine } from './quota.js';
import type { Service } from './service.js';

/** Between two attempts to register a backend that has come up, while the database is away, ms. */
const REGISTER_AGAIN_MS = 1_000;

/** Builds the volume service from bottom to top and starts it. */
export async function volume(parts: Foundation, quota: QuotaEngine, end: (reason: string) => void): Promise<Service> {
  const { config, store, rules, sender } = parts;
  const log = parts.log.logger('cinder.volume');
  const { metrics } = parts.telemetry;
  const incarnation = randomUUID();
  const zones = new Map(config.backends.map((options) => [`${config.host}@${options.name}`, options.availabilityZone]));

  const rpcVersion = formatVersion(parts.volume.own.rpc);
  let isRegistered = false;
  const backends = new Backends({
    backends: config.backends.map((options) => backendOf(options, config, metrics)),
    store,
    log,
    onUp: (backend) => {
      if (isRegistered) void joined(backend);
    },
    onDown: ({ name }) => {
      if (isRegistered) void presence.remove(name);
    },
  });
  const reporter = new CapabilityReporter({
    backends: backends.all,
    publish,
    log,
    intervalMs: config.backendStatsPollingIntervalMs,
    uptime: () => performance.now(),
    now: () => Date.now(),
    newId: randomUUID,
  });
  const casts = new CastReceiver({
    store: aheadOfDisk(store),
    binary: 'cinder-volume',
    owner: incarnation,
    handlers: asVersion(
      volumeManager({
        store,
        messageTtlMs: config.messageTtlMs,
        backends,
        send: (cast) => sender.send(cast),
        inOwnWords: parts.inOwnWords,
        newId: randomUUID,
        serviceIdOf: (backend) => presence.serviceId(backend),
        releaseGraceMs: quota.graceMs,
        releaseQuota: quota.release,
        onReleaseLeft: (release, error) =>
          log.info('a release is left to recovery', { resourceId: release.resourceId, error }),
        listeners: parts.listeners,
      }),
      VolumeManagerService,
      parts.volume.api,
      parts.volume.own,
    ),
    knows: knowsAs(parts.volume.own),
    serviceFor: (target) => (target !== null && backends.find(target)?.isUp ? presence.serviceId(target) : undefined),
    targets: serving,
    maxInFlight: config.castMaxInFlight,
    downAfterMs: config.serviceDownTimeMs,
    ...receiverMetrics(metrics, 'cinder-volume', parts.telemetry.tracer),
    onWork: parts.onWork,
    onDamage: ({ resourceId }, damage) => log.warn('a row of work is damaged', { resourceId, damage }),
    onError: (error) => log.warn('orphaned work cannot be taken over', { error }),
  });

  const working = () => backends.all.filter(({ isUp }) => isUp);
  const { onSwept } = orphanMetrics(metrics, () => orphans.seen);
  const orphans: OrphanSweep = new OrphanSweep({
    backends: working,
    store,
    log,
    intervalMs: config.orphanSweepIntervalMs,
    graceMs: config.orphanGraceTimeMs,
    removeAfterMs: config.orphanRemoval === 'remove' ? config.orphanKeepTimeMs : undefined,
    uptime: () => performance.now(),
    now: () => Date.now(),
    databaseNow: () => databaseNow(store),
    onSwept,
  });
  // one a backend: a file system that hangs keeps no other from being looked at
  const leftovers = backends.all.map((backend) =>
    putAwayLeftovers({
      ...{ store, backend, log, intervalMs: config.reportIntervalMs },
      onPutAway: () => onSwept('quarantined'),
    }),
  );

  metrics.work.castsInFlight.from(() => [[casts.inFlight, 'cinder-volume']]);
  metrics.storage.backends.from(() => {
    const upCount = working().length;
    return [
      [upCount, 'up'],
      [backends.all.length - upCount, 'down'],
    ];
  });

  await backends.start();
  const server = await internalServer({
    address: config.volumeListen,
    ...(parts.tls.internal && { credentials: parts.tls.internal }),
    maxMessageBytes: config.maxInternalMessageBytes,
    descriptors: parts.descriptors,
    rules,
    definition: VolumeManagerService,
    handlers: volumeCalls({
      store,
      backends,
      report: () => reporter.reportAll(),
      onCleanup: cleanupLog(log),
      logLevels: parts.log,
    }),
    casts,
    owns: (target) => backends.find(target) !== undefined,
    report: parts.report,
    ...parts.telemetry.internalServer,
    rpcVersion,
    objectVersion: formatVersion(parts.volume.own.objects),
    callersObjects: parts.callersObjects,
    ...(config.internalRpcSecret && { secret: config.internalRpcSecret }),
    local: { peers: parts.local, incarnation },
  });
  const presence = await present(
    parts,
    {
      incarnation,
      binary: 'cinder-volume',
      endpoint: config.volumeAdvertise ?? server.address,
      rpcVersion,
      services: backends.all.filter(({ isUp }) => isUp).map(serviceOf),
    },
    end,
  );
  isRegistered = true;
  // what has come up or fallen while the others were registered
  for (const backend of backends.all) {
    const isKnown = presence.serviceId(backend.name) !== undefined;
    if (backend.isUp && !isKnown) void joined(backend);
    if (!backend.isUp && isKnown) void presence.remove(backend.name);
  }
  await reporter.reportAll();
  reporter.start();
  orphans.start();
  for (const each of leftovers) each.start();
  await casts.start();
  const parked = resumeParked({
    store,
    backends: serving,
    log,
  });
  parked.start();
  server.setServing(true);

  function serviceOf({ name }: Backend): { host: string; clusterName: null; availabilityZone: string } {
    return { host: name, clusterName: null, availabilityZone: zones.get(name) ?? config.storageAvailabilityZone };
  }

  /** The backends that work and are registered. */
  function serving(): readonly string[] {
    return backends.all.flatMap(({ name, isUp }) => (isUp && presence.serviceId(name) ? [name] : []));
  }

  /** A backend that came up after the others, or again. */
  async function joined(backend: Backend): Promise<void> {
    while (backend.isUp && isRegistered) {
      try {
        await presence.add(serviceOf(backend));
        await reporter.report(backend);
        return;
      } catch (error) {
        log.error('a backend could not be registered yet', { backend: backend.name, error });
        await pause(REGISTER_AGAIN_MS, undefined, { ref: false });
      }
    }
  }

  /** To every scheduler, and to one that announces what changed. Rule: cinder/volume/manager.py. */
  async function publish(report: CapabilityReport, signal: AbortSignal): Promise<boolean> {
    const { host, reportId, part, partCount, includedClaims } = report;
    const capabilities = { ...report.capabilities };
    const timestamp = new Date(report.timestamp);
    const context = nobody();
    const { reached } = await parts.scheduler.updateServiceCapabilities(
      context,
      {
        ...{ serviceName: 'volume', host, capabilities, timestamp, reportId, part, partCount },
        includedClaims: [...includedClaims],
        clusterName: undefined,
      },
      { signal },
    );
    if (partCount > 1) return reached > 0; // a part says nothing of what changed in the whole
    await parts.scheduler
      .notifyServiceCapabilities(context, { serviceName: 'volume', backend: host, capabilities, timestamp }, { signal })
      .catch((error: unknown) => log.debug('no scheduler was notified', { backend: host, error }));
    return reached > 0;
  }

  function drain(): void {
    server.setServing(false);
    isRegistered = false;
    casts.drain();
    for (const backend of backends.all) backend.drain();
  }

  return {
    address: server.address,
    drain,
    async stop(graceMs) {
      drain();
      await orphans.stop();
      await Promise.all(leftovers.map((each) => each.stop()));
      await parked.stop();
      await casts.stop(graceMs);
      await reporter.stop();
      await server.stop(graceMs);
      await presence.stop();
      await backends.stop();
    },
  };
}

function backendOf(options: BackendOptions, config: Config, metrics: Metrics): Backend {
  const name = `${config.host}@${options.name}`;
  const driver = new FileDriver({
    backend: name,
    path: options.path,
    pools: options.pools.map(poolOf),
    ...(process.env['PATH'] && { programPath: process.env['PATH'] }),
  });
  return new Backend({
    name,
    volumeBackendName: options.volumeBackendName,
    functions: { filter: options.filterFunction, goodness: options.goodnessFunction },
    driver: measuredDriver(driver, options.driver, metrics),
    concurrency: config.volumeConcurrency,
    copyConcurrency: config.volumeCopyConcurrency,
  });
}

function poolOf({ maxOverSubscriptionRatio: ratio, ...pool }: BackendOptions['pools'][number]): PoolOptions {
  return { ...pool, maxOverSubscriptionRatio: ratio === 'auto' ? ratio : Number(ratio) };
}
