import type { Store } from '../../db/store.js';
import { findClaimedWork } from '../../db/worker-cleanup.js';
import type { CleanupWorkersRequest, WorkersService } from '../../gen/cinder/api/v3/workers.js';
import { CleanupRequest } from '../../gen/cinder/objects/v1/cleanup_request.js';
import type { WorkCleanupResponse } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { backendOf } from '../../objects/backend-name.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import type { SendOptions } from '../../rpc/versioned-client.js';
import { invalid, Violations } from '../validation.js';

/** The part of the scheduler's client that is used here. */
export interface CleaningScheduler {
  workCleanup(context: RequestContext, request: CleanupRequest, options: SendOptions): Promise<WorkCleanupResponse>;
}

export interface CleanupWorkersParts {
  readonly store: Store;
  readonly scheduler: CleaningScheduler;
}

const BINARIES: readonly string[] = ['cinder-volume', 'cinder-scheduler'];
const RESOURCE_TYPES: readonly string[] = ['Volume', 'Snapshot'];

/**
 * `Workers/CleanupWorkers`. Throws InvalidInput, UnavailableDuringUpgrade, ServiceUnavailable.
 * Rule: cinder/api/v3/workers.py, `cleanup`.
 */
export function cleanupWorkers({
  store,
  scheduler,
}: CleanupWorkersParts): PublicHandler<typeof WorkersService.cleanupWorkers> {
  return async (asked, { context, deadline, signal }) => {
    const { clusterName, host, resourceType } = asked;
    const message = {
      ...asked,
      ...{ clusterName: withoutPool(clusterName), host: withoutPool(host), resourceType: titled(resourceType) },
    };
    check(message);
    const request = CleanupRequest.create({ ...message, ...(await serviceOf(store, message)) });
    const { requested, notRequested } = await scheduler.workCleanup(context, request, { deadline, signal });
    return { cleaning: requested, unavailable: notRequested };
  };
}

/** Services are of backends; volumes are shown with their pool. */
function withoutPool(name: string | undefined): string | undefined {
  return name === undefined ? undefined : backendOf(name);
}

/** `VOLUME` and `volume` mean `Volume`, as for Cinder. */
function titled(text: string | undefined): string | undefined {
  return text === undefined ? undefined : text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
}

function check({ clusterName, host, binary, resourceId, resourceType, serviceId }: CleanupWorkersRequest): void {
  const bad = new Violations();
  if (clusterName !== undefined) bad.text('cluster_name', clusterName, 1, 255);
  if (host !== undefined) bad.text('host', host, 1, 255);
  if (binary !== undefined && !BINARIES.includes(binary)) bad.add('binary', `must be ${BINARIES.join(' or ')}`);
  if (resourceId !== undefined) bad.uuid('resource_id', resourceId);
  if (resourceType !== undefined && !RESOURCE_TYPES.includes(resourceType)) {
    bad.add('resource_type', `must be ${RESOURCE_TYPES.join(' or ')}`);
  }
  if (serviceId !== undefined) bad.uuid('service_id', serviceId);
  bad.check();
}

/** A resource alone is enough: its row of work says whose it is. */
async function serviceOf(
  store: Store,
  { clusterName, host, binary, resourceId, resourceType, serviceId }: CleanupWorkersRequest,
): Promise<Pick<CleanupRequest, 'serviceId' | 'resourceType'> | undefined> {
  if (resourceId === undefined || serviceId !== undefined || clusterName !== undefined || host !== undefined) return;
  const rows = await findClaimedWork(store, { resourceId, resourceType, binary });
  const [row] = rows;
  if (!row) throw invalid('resource_id', 'nobody has begun any work on it');
  if (rows.length > 1) throw invalid('resource_type', 'is required: there is work on several resources of this id');
  return row;
}
