import type { DoCleanupParts } from '../casts/do-cleanup.js';
import type { Log } from '../log/log.js';

/** Writes what a clean-up has begun anew: an operator asked for it, and wants to see it. */
export function cleanupLog(log: Pick<Log, 'info'>): DoCleanupParts['onCleanup'] {
  return ({ serviceId, resourceType, resourceId }, count) =>
    log.info('work is begun anew: a clean-up was asked for', { serviceId, resourceType, resourceId, count });
}
