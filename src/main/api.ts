import { randomUUID } from 'node:crypto';
import { cachedZones } from '../api/zones.js';
import { defaultTypes } from '../api/default-types.js';
import { namePages } from '../api/name-pages.js';
import { pageTokens } from '../api/page-tokens.js';
import { allows } from '../api/policy.js';
import { availabilityZones } from '../api/services/availability-zones.js';
import { runningDiagnoses } from '../api/diagnosis.js';
import { diagnostics } from '../api/services/diagnostics.js';
import { messages } from '../api/services/messages.js';
import { pools } from '../api/services/pools.js';
import { quotas } from '../api/services/quotas.js';
import { services } from '../api/services/services.js';
import { volumeTypes } from '../api/services/volume-types.js';
import { volumes } from '../api/services/volumes.js';
import { workers } from '../api/services/workers.js';
import { typeOfVolume, visibleVolumeType } from '../api/visible-volume-type.js';
import type { ExtractVolumeRequestParts } from '../api/tasks/extract-volume-request.js';
import { visibleVolume } from '../api/visible-volume.js';
import { installationSecret } from '../db/secrets.js';
import { servicesOf } from '../db/services.js';
import { defaultVolumeType } from '../db/default-volume-types.js';
import { tokensWith } from '../events/tokens.js';
import { VolumeEvents } from '../events/watch.js';
import { publicServer } from '../rpc/public-server.js';
import { authenticator } from './authenticator.js';
import { boundedKeysStore } from './bounded-keys-store.js';
import { checksOf } from './doctor.js';
import type { Foundation } from './foundation.js';
import { present } from './present.js';
import { watchMetrics } from './observers.js';
import type { QuotaEngine } from './quota.js';
import type { Service } from './service.js';

/** Zones of new backends are usable within this time, ms. */
const ZONES_MAX_AGE_MS = 5_000;

/** Builds the public API from bottom to top and starts it. */
export async function api(parts: Foundation, quota: QuotaEngine, end: (reason: string) => void): Promise<Service> {
  const { config, sender } = parts;
  const log = parts.log.logger('cinder.api');
  const store = boundedKeysStore(parts.store, { limit: config.maxIdempotencyKeysPerProject });
  const incarnation = randomUUID();
  const tokens = tokensWith(await installationSecret(store, 'tokens'));
  const events = new VolumeEvents(store, {
    bufferSize: config.watchBuffer,
    onUnreadable: ({ seq, resourceId, type }) =>
      log.warn('an event cannot be read: no watcher gets it', { seq, resourceId, type }),
  });
  parts.watchers.wake = () => events.wake();
  const pages = pageTokens(tokens);
  const names = namePages(tokens);

  const callers = authenticator({ ...parts, log });
  const configuredName = config.defaultVolumeType;
  const defaults = defaultTypes((projectId) => defaultVolumeType(store, { projectId, configuredName }));

  /** What a new volume may refer to. */
  const lookups = {
    types: {
      find: (idOrName, context) => visibleVolumeType(store, context, idOrName),
      ofVolume: (id) => typeOfVolume(store, id),
      default: (projectId) => defaults.of(projectId),
    },
    zones: cachedZones(
      async () => (await servicesOf(store, 'cinder-volume')).map(({ availabilityZone }) => availabilityZone),
      config.storageAvailabilityZone,
      ZONES_MAX_AGE_MS,
    ),
    defaultZone: config.defaultAvailabilityZone ?? config.storageAvailabilityZone,
    zoneFallback: config.allowAvailabilityZoneFallback,
    clonedVolumeSameAz: config.clonedVolumeSameAz,
    sources: { find: (volumeId, context) => visibleVolume(store, context, volumeId) },
  } satisfies ExtractVolumeRequestParts;

  const server = await publicServer({
    address: config.apiListen,
    ...(parts.tls.api && { credentials: parts.tls.api }),
    maxMessageBytes: config.maxRequestBytes,
    descriptors: parts.descriptors,
    rules: parts.rules,
    authenticator: callers,
    policy: { allows },
    report: parts.report,
    onBrokenLimit: (broken) => log.warn('a connection was closed: it broke a limit', { ...broken }),
    ...parts.telemetry.publicServer,
    maxRequestsPerProject: config.maxConcurrentRequestsPerProject,
    services: [
      volumes({
        ...quota,
        store,
        events,
        tokens,
        pages,
        owner: incarnation,
        ...lookups,
        flowDeadlineMs: config.apiFlowDeadlineMs,
        undoDeadlineMs: config.apiFlowDeadlineMs,
        releaseGraceMs: quota.graceMs,
        releaseQuota: quota.release,
        onReleaseLeft: ({ resourceId }, error) => log.info('a release is left to recovery', { resourceId, error }),
        send: (cast) => sender.send(cast),
        inOwnWords: parts.inOwnWords,
        onReset: (reset) => log.warn('the status of a volume was reset by hand', { ...reset }),
        listeners: parts.listeners,
      }),
      quotas({ ...quota, store, pages, namePages: names }),
      volumeTypes({ store, defaults, configuredName, namePages: names, newId: randomUUID }),
      availabilityZones({ store, storageZone: config.storageAvailabilityZone }),
      services({
        store,
        downAfterMs: config.serviceDownTimeMs,
        serviceTtlMs: config.serviceVersionTtlMs,
        clients: [parts.scheduler, parts.volume],
        scheduler: parts.scheduler,
        volume: parts.volume,
        logLevels: parts.log,
        host: config.host,
      }),
      pools({ ...lookups, scheduler: parts.scheduler, listeners: parts.listeners }),
      messages({ store, pages }),
      workers({ store, scheduler: parts.scheduler }),
      diagnostics({
        checksFor: checksOf(parts, quota),
        running: runningDiagnoses(),
        onRepaired: ({ kind, resource, description, remedy }, { userId, requestId }) =>
          log.warn('a repair', { kind, resource, description, remedy, userId, requestId }),
      }),
    ],
  });
  watchMetrics(parts.telemetry.metrics, events);
  const presence = await present(
    parts,
    { incarnation, binary: 'cinder-api', endpoint: server.address, rpcVersion: '', services: [] },
    end,
  );
  server.setServing(true);

  return {
    address: server.address,
    drain: () => server.setServing(false),
    async stop(graceMs) {
      server.setServing(false);
      events.close();
      callers.close();
      await server.stop(graceMs);
      await presence.stop();
    },
  };
}
