import { randomUUID } from 'node:crypto';
import { asVersion, knowsAs } from '../casts/as-version.js';
import { CastReceiver } from '../casts/receiver.js';
import { aheadOfDisk } from '../db/ahead-of-disk.js';
import { isUp, servicesOf } from '../db/services.js';
import { hastenWorkers } from '../db/workers.js';
import { SchedulerManagerService } from '../gen/cinder/scheduler/v3/scheduler_manager.js';
import type { Log } from '../log/log.js';
import type { RedisConnection } from '../redis/connection.js';
import { internalServer } from '../rpc/versioned-server.js';
import { formatVersion } from '../rpc/version-number.js';
import { Functions } from '../scheduler/evaluator/functions.js';
import { BackendNews } from '../scheduler/backend-news.js';
import { BackupServices } from '../scheduler/backup-services.js';
import { expectedBackends } from '../scheduler/expected-backends.js';
import { filtersByName } from '../scheduler/filters/index.js';
import { forwardClock } from '../scheduler/forward-clock.js';
import { FilterScheduler } from '../scheduler/filter-scheduler.js';
import { parkForsaken } from '../scheduler/forsaken-deletions.js';
import { releaseGivenUp } from '../scheduler/given-up.js';
import { schedulerCalls, schedulerCasts } from '../scheduler/manager.js';
import { sweepClaims } from '../scheduler/claim-sweep.js';
import { Claims } from '../scheduler/claims.js';
import { loadClaimScripts } from '../scheduler/claim-scripts.js';
import { OddPools } from '../scheduler/odd-pools.js';
import { Pools } from '../scheduler/pools.js';
import { Readiness } from '../scheduler/readiness.js';
import { ReportParts } from '../scheduler/report-parts.js';
import { ServiceList } from '../scheduler/service-list.js';
import { takeBackStranded } from '../scheduler/stranded.js';
import { lookUpWith, NO_COMPUTE } from '../scheduler/surroundings.js';
import { VolumeCounts } from '../scheduler/volume-counts.js';
import { weightHandlerByName } from '../scheduler/weight-handlers/index.js';
import { weighersByName } from '../scheduler/weighers/index.js';
import { cleanupLog } from './cleanup-log.js';
import type { Foundation } from './foundation.js';
import { nobody } from './nobody.js';
import { claimMetrics, claimReadings, decisionMetrics, receiverMetrics, schedulerReadings } from './observers.js';
import { present } from './present.js';
import type { Service } from './service.js';

/** Odd pools that a log line names; the rest is counted. */
const MAX_LOGGED_POOLS = 5;

/** Builds the scheduler from bottom to top and starts it. */
export async function scheduler(
  parts: Foundation,
  redis: RedisConnection,
  end: (reason: string) => void,
): Promise<Service> {
  const { config, store, rules, sender } = parts;
  const log = parts.log.logger('cinder.scheduler');
  const { metrics } = parts.telemetry;
  const now = forwardClock();
  const incarnation = randomUUID();

  const pools = new Pools({ maxOverSubscriptionRatio: config.maxOverSubscriptionRatio, now });
  const functions = new Functions();
  const filters = filtersByName(config.schedulerDefaultFilters, { functions });
  const weighers = weighersByName(config.schedulerDefaultWeighers, {
    capacityWeightMultiplier: config.capacityWeightMultiplier,
    allocatedCapacityWeightMultiplier: config.allocatedCapacityWeightMultiplier,
    volumeNumberMultiplier: config.volumeNumberMultiplier,
    functions,
    random: Math.random,
  });
  const filterScheduler = new FilterScheduler({
    pools,
    filters,
    weighers,
    weightHandler: weightHandlerByName(config.schedulerWeightHandler, Math.random),
    maxAttempts: config.schedulerMaxAttempts,
    observer: decisionMetrics(metrics),
  });
  const claims = claimsOf({ ...parts, log }, redis);
  if (claims) {
    claimReadings(metrics, claims, pools);
    parts.onGivenUp.add((cast) => void releaseGivenUp(claims, cast));
  }
  const counts = new VolumeCounts(store);
  const lookUp = lookUpWith({ store, counts, compute: NO_COMPUTE, filters, weighers });
  const oddPools = new OddPools({
    ...{ pools, now, intervalMs: config.backendStatsPollingIntervalMs },
    onNews: (kind, odd) =>
      log.warn('pools report what is strange', {
        ...{ kind, poolCount: odd.length },
        pools: odd.slice(0, MAX_LOGGED_POOLS).map(({ pool, text }) => `${pool}: ${text}`),
      }),
  });
  const readiness = new Readiness({ pools, initWaitMs: config.schedulerDriverInitWaitTimeMs });
  const services = new ServiceList({
    pools,
    read: async () => {
      const records = await servicesOf(store, 'cinder-volume');
      return records.map((record) => ({ ...record, up: isUp(record, config.serviceDownTimeMs) }));
    },
    onRead: () => {
      if (news.read(services.up)) void hasten();
      readiness.changed();
      oddPools.look();
    },
    onError: (error) => log.warn('the volume services cannot be read; the last list is used', { error }),
  });

  const news = new BackendNews();

  const casts = new CastReceiver({
    store: aheadOfDisk(store),
    binary: 'cinder-scheduler',
    owner: incarnation,
    handlers: asVersion(
      schedulerCasts({
        store,
        messageTtlMs: config.messageTtlMs,
        scheduler: filterScheduler,
        claims,
        lookUp,
        onPlaced: ({ host }) => {
          if (config.schedulerDefaultWeighers.includes('VolumeNumberWeigher')) counts.placed(host);
        },
        readiness,
        anyVolumeService: () => services.anyUp,
        isExpected: expectedBackends({
          away: () => services.away(),
          silent: () => pools.silentBackends,
          restartMs: 2 * config.serviceDownTimeMs,
          patienceMs: config.cleanupGiveUpTimeMs,
        }),
        send: (cast) => sender.send(cast),
        inOwnWords: parts.inOwnWords,
        onRefusal: ({ resourceId, context }, reason) =>
          log.warn('no valid backend was found', { resourceId, requestId: context.requestId, reason }),
        listeners: parts.listeners,
      }),
      SchedulerManagerService,
      parts.scheduler.api,
      parts.scheduler.own,
    ),
    knows: knowsAs(parts.scheduler.own),
    serviceFor: () => presence.serviceId(config.host),
    maxInFlight: config.castMaxInFlight,
    downAfterMs: config.serviceDownTimeMs,
    ...receiverMetrics(metrics, 'cinder-scheduler', parts.telemetry.tracer),
    onWork: parts.onWork,
    onDamage: ({ resourceId }, damage) => log.warn('a row of work is damaged', { resourceId, damage }),
    onError: (error) => log.warn('orphaned work cannot be taken over', { error }),
  });
  schedulerReadings(metrics, pools, oddPools, now);
  metrics.work.castsInFlight.from(() => [[casts.inFlight, 'cinder-scheduler']]);
  const rpcVersion = formatVersion(parts.scheduler.own.rpc);
  const server = await internalServer({
    address: config.schedulerListen,
    ...(parts.tls.internal && { credentials: parts.tls.internal }),
    maxMessageBytes: config.maxInternalMessageBytes,
    descriptors: parts.descriptors,
    rules,
    definition: SchedulerManagerService,
    handlers: schedulerCalls({
      scheduler: filterScheduler,
      lookUp,
      pools,
      oddPools,
      readiness,
      backups: new BackupServices(),
      ...(config.backupUseSameHost && { backupOnSameHost: { downAfterMs: config.serviceDownTimeMs } }),
      random: Math.random,
      claims,
      store,
      filters,
      reportParts: new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 1_000, now }),
      now,
      downAfterMs: config.serviceDownTimeMs,
      isUpgraded: async () => (await parts.scheduler.cap()).canSendVersion(rpcVersion),
      askScheduler: (context, request, options) => parts.scheduler.doCleanup(context, request, options),
      askVolume: (context, request, options) => parts.volume.doCleanup(context, request, options),
      onUnreached: ({ binary, host }, error) =>
        log.warn('a service could not be asked to clean up', { binary, host, error }),
      onCleanup: cleanupLog(log),
      logLevels: parts.log,
      onReport: (host) => void reported(host),
      announce: (notice) => log.info('the capacity of a backend has changed', { ...notice }),
    }),
    casts,
    // who is asked about its log is named by its host
    owns: (target) => target === config.host,
    report: parts.report,
    ...parts.telemetry.internalServer,
    rpcVersion,
    objectVersion: formatVersion(parts.scheduler.own.objects),
    callersObjects: parts.callersObjects,
    ...(config.internalRpcSecret && { secret: config.internalRpcSecret }),
    local: { peers: parts.local, incarnation },
  });
  const presence = await present(
    parts,
    {
      incarnation,
      binary: 'cinder-scheduler',
      endpoint: config.schedulerAdvertise ?? server.address,
      rpcVersion,
      services: [{ host: config.host, clusterName: null, availabilityZone: config.storageAvailabilityZone }],
    },
    end,
  );
  await services.start();
  await casts.start();
  const stranded = takeBackStranded({
    store,
    messageTtlMs: config.messageTtlMs,
    downAfterMs: config.serviceDownTimeMs,
    giveUpAfterMs: config.cleanupGiveUpTimeMs,
    owner: incarnation,
    maxAttempts: config.schedulerMaxAttempts,
    knows: knowsAs(parts.volume.own),
    send: (cast) => sender.send(cast),
    inOwnWords: parts.inOwnWords,
    log,
  });
  stranded.start();
  const forsaken = parkForsaken({
    store,
    messageTtlMs: config.messageTtlMs,
    downAfterMs: config.serviceDownTimeMs,
    giveUpAfterMs: config.cleanupGiveUpTimeMs,
    owner: incarnation,
    log,
  });
  forsaken.start();
  const claimSweep =
    claims &&
    sweepClaims({
      ...{ store, claims, log },
      reportIntervalMs: config.backendStatsPollingIntervalMs,
      downAfterMs: config.serviceDownTimeMs,
    });
  claimSweep?.start();
  server.setServing(true);
  void parts.volume
    .publishServiceCapabilities(nobody())
    .catch((error: unknown) => log.info('nobody to ask for reports', { error }));

  async function reported(host: string): Promise<void> {
    if (news.reported(host, services.hasUp(host))) {
      await services.refresh();
      await hasten();
    }
    readiness.changed();
  }

  /** What waited for a backend may be placed now. */
  async function hasten(): Promise<void> {
    await store
      .apply([hastenWorkers('cinder-scheduler')])
      .catch((error: unknown) => log.warn('waiting work was not hastened', { error }));
  }

  function drain(): void {
    server.setServing(false);
    casts.drain();
  }

  return {
    address: server.address,
    drain,
    async stop(graceMs) {
      drain();
      await stranded.stop();
      await forsaken.stop();
      await claimSweep?.stop();
      readiness.stop();
      await casts.stop(graceMs);
      await server.stop(graceMs);
      await services.stop();
      await presence.stop();
    },
  };
}

/** Undefined where capacity decides nothing: no filter compares it, so nobody may lose a pool over it. */
export function claimsOf(
  { config, log, telemetry }: Pick<Foundation, 'config' | 'telemetry'> & { readonly log: Pick<Log, 'warn'> },
  redis: RedisConnection,
): Claims | undefined {
  if (!config.schedulerDefaultFilters.includes('CapacityFilter')) return undefined;
  return new Claims({
    redis,
    scripts: loadClaimScripts(),
    maxOverSubscriptionRatio: config.maxOverSubscriptionRatio,
    workMs: config.capacityClaimTimeoutMs,
    reportIntervalMs: config.backendStatsPollingIntervalMs,
    observer: claimMetrics(telemetry.metrics, log),
  });
}
