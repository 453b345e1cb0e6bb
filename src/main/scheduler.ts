import { randomUUID } from 'node:crypto';
import { asVersion, knowsAs } from '../casts/as-version.js';
import type { CastHandler } from '../casts/handler.js';
import { CastReceiver } from '../casts/receiver.js';
import { aheadOfDisk } from '../db/ahead-of-disk.js';
import { SchedulerManagerService } from '../gen/cinder/scheduler/v3/scheduler_manager.js';
import type { Log } from '../log/log.js';
import type { RedisConnection } from '../redis/connection.js';
import { type InternalHandlers, internalServer } from '../rpc/versioned-server.js';
import { formatVersion } from '../rpc/version-number.js';
import { BackupServices } from '../scheduler/backup-services.js';
import { schedulerCalls, schedulerCasts } from '../scheduler/manager.js';
import { ReportParts } from '../scheduler/report-parts.js';
import { cleanupLog } from './cleanup-log.js';
import type { Foundation } from './foundation.js';
import { type KnownBackends, knownBackends } from './known-backends.js';
import { nobody } from './nobody.js';
import { receiverMetrics } from './observers.js';
import { type PlacementEngine, placementEngine } from './placement.js';
import { present } from './present.js';
import { schedulerRounds } from './scheduler-rounds.js';
import type { Service } from './service.js';

/** Builds the scheduler from bottom to top and starts it. */
export async function scheduler(
  parts: Foundation,
  redis: RedisConnection,
  end: (reason: string) => void,
): Promise<Service> {
  const { config, store, rules } = parts;
  const log = parts.log.logger('cinder.scheduler');
  const { metrics } = parts.telemetry;
  const incarnation = randomUUID();
  const rpcVersion = formatVersion(parts.scheduler.own.rpc);

  const placement = placementEngine({ ...parts, log }, redis);
  const backends = knownBackends({ ...parts, log }, placement);
  const engines = { placement, backends, log };

  const casts = new CastReceiver({
    store: aheadOfDisk(store),
    binary: 'cinder-scheduler',
    owner: incarnation,
    handlers: castHandlers(parts, engines),
    knows: knowsAs(parts.scheduler.own),
    serviceFor: () => presence.serviceId(config.host),
    maxInFlight: config.castMaxInFlight,
    downAfterMs: config.serviceDownTimeMs,
    ...receiverMetrics(metrics, 'cinder-scheduler', parts.telemetry.tracer),
    onWork: parts.onWork,
    onDamage: ({ resourceId }, damage) => log.warn('a row of work is damaged', { resourceId, damage }),
    onError: (error) => log.warn('orphaned work cannot be taken over', { error }),
  });
  metrics.work.castsInFlight.from(() => [[casts.inFlight, 'cinder-scheduler']]);
  const server = await internalServer({
    address: config.schedulerListen,
    ...(parts.tls.internal && { credentials: parts.tls.internal }),
    maxMessageBytes: config.maxInternalMessageBytes,
    descriptors: parts.descriptors,
    rules,
    definition: SchedulerManagerService,
    handlers: callHandlers(parts, engines),
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
  await backends.services.start();
  await casts.start();
  const rounds = schedulerRounds({ ...parts, log }, { owner: incarnation, claims: placement.claims });
  rounds.start();
  server.setServing(true);
  void parts.volume
    .publishServiceCapabilities(nobody())
    .catch((error: unknown) => log.info('nobody to ask for reports', { error }));

  function drain(): void {
    server.setServing(false);
    casts.drain();
  }

  return {
    address: server.address,
    drain,
    async stop(graceMs) {
      drain();
      await rounds.stop();
      backends.readiness.stop();
      await casts.stop(graceMs);
      await server.stop(graceMs);
      await backends.services.stop();
      await presence.stop();
    },
  };
}

/** What the handlers work with. */
interface Engines {
  readonly placement: PlacementEngine;
  readonly backends: KnownBackends;
  readonly log: Log;
}

/** Of the work that is sent to schedulers, in this process's version. */
function castHandlers(parts: Foundation, { placement, backends, log }: Engines): ReadonlyMap<string, CastHandler> {
  const { config, store, sender } = parts;
  const { scheduler, claims, lookUp, onPlaced } = placement;
  const { services, readiness, isExpected } = backends;
  const handlers = schedulerCasts({
    store,
    messageTtlMs: config.messageTtlMs,
    ...{ scheduler, claims, lookUp, onPlaced },
    readiness,
    anyVolumeService: () => services.anyUp,
    isExpected,
    send: (cast) => sender.send(cast),
    inOwnWords: parts.inOwnWords,
    onRefusal: ({ resourceId, context }, reason) =>
      log.warn('no valid backend was found', { resourceId, requestId: context.requestId, reason }),
    listeners: parts.listeners,
  });
  return asVersion(handlers, SchedulerManagerService, parts.scheduler.api, parts.scheduler.own);
}

/** Of what schedulers answer at once. */
function callHandlers(
  parts: Foundation,
  { placement, backends, log }: Engines,
): InternalHandlers<typeof SchedulerManagerService> {
  const { config, store } = parts;
  const { scheduler, lookUp, pools, oddPools, claims, filters, now } = placement;
  const rpcVersion = formatVersion(parts.scheduler.own.rpc);
  return schedulerCalls({
    ...{ store, scheduler, lookUp, pools, oddPools, claims, filters, now },
    readiness: backends.readiness,
    backups: new BackupServices(),
    ...(config.backupUseSameHost && { backupOnSameHost: { downAfterMs: config.serviceDownTimeMs } }),
    random: Math.random,
    reportParts: new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 1_000, now }),
    downAfterMs: config.serviceDownTimeMs,
    isUpgraded: async () => (await parts.scheduler.cap()).canSendVersion(rpcVersion),
    askScheduler: (context, request, options) => parts.scheduler.doCleanup(context, request, options),
    askVolume: (context, request, options) => parts.volume.doCleanup(context, request, options),
    onUnreached: ({ binary, host }, error) =>
      log.warn('a service could not be asked to clean up', { binary, host, error }),
    onCleanup: cleanupLog(log),
    logLevels: parts.log,
    onReport: backends.onReport,
    announce: (notice) => log.info('the capacity of a backend has changed', { ...notice }),
  });
}
