import { beginWorkAnew } from '../db/worker-cleanup.js';
import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import type { CleanupRequest } from '../gen/cinder/objects/v1/cleanup_request.js';

export interface DoCleanupParts {
  readonly store: Store;
  /** Told how much work is begun anew; never throws. */
  readonly onCleanup: (request: CleanupRequest, count: number) => void;
}

/**
 * `do_cleanup`: work of the binary that fits is begun anew. Cinder ends it in `error`, as a message that was taken is lost
 * there; ours is a row. Throws InvalidInput for a request that names neither a service nor a resource: it would disown
 * everybody. Rule: cinder/manager.py, `CleanableManager.do_cleanup`.
 */
export async function doCleanup(
  { store, onCleanup }: DoCleanupParts,
  binary: string,
  request: CleanupRequest | undefined,
): Promise<void> {
  if (!request || (request.serviceId === undefined && request.resourceId === undefined)) {
    const description = 'must name a service or a resource: service_id, resource_id';
    throw new Fault('InvalidInput', { violations: [{ field: 'cleanup_request', description }], omitted: 0 });
  }
  const { serviceId, resourceType, resourceId } = request;
  const until = request.until?.getTime();
  onCleanup(request, await beginWorkAnew(store, { binary, serviceId, resourceType, resourceId, until }));
}
