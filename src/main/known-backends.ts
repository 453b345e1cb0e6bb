import { isUp, servicesOf } from '../db/services.js';
import { hastenWorkers } from '../db/workers.js';
import type { Log } from '../log/log.js';
import { BackendNews } from '../scheduler/backend-news.js';
import { expectedBackends, type IsExpected } from '../scheduler/expected-backends.js';
import { Readiness } from '../scheduler/readiness.js';
import { ServiceList } from '../scheduler/service-list.js';
import type { Foundation } from './foundation.js';
import type { PlacementEngine } from './placement.js';

/** Which backends there are, and which of them a scheduler has heard of. */
export interface KnownBackends {
  readonly services: ServiceList;
  readonly readiness: Readiness;
  readonly isExpected: IsExpected;
  /** To be told that a backend has reported. */
  readonly onReport: (host: string) => void;
}

/** Follows the backends; what waited for one of them is begun when it is there. */
export function knownBackends(
  { config, store, log }: Pick<Foundation, 'config' | 'store'> & { readonly log: Log },
  { pools, oddPools }: Pick<PlacementEngine, 'pools' | 'oddPools'>,
): KnownBackends {
  const news = new BackendNews();
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
  const isExpected = expectedBackends({
    away: () => services.away(),
    silent: () => pools.silentBackends,
    restartMs: 2 * config.serviceDownTimeMs,
    patienceMs: config.cleanupGiveUpTimeMs,
  });

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

  return { services, readiness, isExpected, onReport: (host) => void reported(host) };
}
