import { isUp, type ServiceRecord, allServices } from '../../db/services.js';
import type { Store } from '../../db/store.js';
import { databaseNow } from '../../db/worker-cleanup.js';
import { Fault } from '../../errors/fault.js';
import { CleanupRequest } from '../../gen/cinder/objects/v1/cleanup_request.js';
import type { CleanedService, SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { isOfHost } from '../../objects/backend-name.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { SendOptions } from '../../rpc/versioned-client.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';

/** Programs whose work can be cleaned up. */
const CLEANABLE_BINARIES: readonly string[] = ['cinder-scheduler', 'cinder-volume'];

const ASK_TIMEOUT_MS = 5_000;

export interface WorkCleanupParts {
  readonly store: Store;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
  /** Whether every scheduler is as new as this one. */
  readonly isUpgraded: () => Promise<boolean>;
  /** Asks any scheduler. */
  readonly askScheduler: (context: RequestContext, request: CleanupRequest, options: SendOptions) => Promise<void>;
  /** Asks the volume service of a backend. */
  readonly askVolume: (
    context: RequestContext,
    request: CleanupRequest,
    options: SendOptions & { readonly target: string },
  ) => Promise<void>;
  /** How long one service is waited for, ms: one that hangs must not keep the answer about the others. @default 5000 */
  readonly askTimeoutMs?: number;
  /** Told whom nobody could ask, though it is up; never throws. */
  readonly onUnreached: (service: ServiceRecord, error: unknown) => void;
}

/**
 * `WorkCleanup`: asks each service that fits to begin its work anew. Throws UnavailableDuringUpgrade, DatabaseUnavailable.
 * Rule: cinder/scheduler/manager.py, `work_cleanup`.
 */
export function workCleanup(parts: WorkCleanupParts): InternalHandler<typeof SchedulerManagerService.workCleanup> {
  return async ({ cleanupRequest }, { context, deadline, signal }) => {
    if (!(await parts.isUpgraded())) throw new Fault('UnavailableDuringUpgrade', { action: 'the clean-up of workers' });
    const request = cleanupRequest ?? CleanupRequest.create();
    const until = request.until ?? new Date(await databaseNow(parts.store));
    const services = (await allServices(parts.store)).filter((service) => fits(request, service, parts.downAfterMs));
    const options = { signal, deadline: Math.min(deadline, Date.now() + (parts.askTimeoutMs ?? ASK_TIMEOUT_MS)) };
    const answers = await Promise.all(
      services.map(async (service) => {
        const { id: serviceId, binary, host, clusterName } = service;
        const own = CleanupRequest.create({
          ...request,
          ...{ serviceId, binary, host, until, clusterName: clusterName ?? undefined },
        });
        return { service, isAsked: await asked(parts, context, service, own, options) };
      }),
    );
    const view = (isAsked: boolean) =>
      answers.filter((each) => each.isAsked === isAsked).map((each) => seen(each.service));
    return { requested: view(true), notRequested: view(false) };
  };
}

/** A scheduler's work is anybody's; a backend's can only be done where it is. */
async function asked(
  parts: WorkCleanupParts,
  context: RequestContext,
  service: ServiceRecord,
  request: CleanupRequest,
  options: SendOptions,
): Promise<boolean> {
  try {
    if (service.binary === 'cinder-scheduler') await parts.askScheduler(context, request, options);
    else if (isUp(service, parts.downAfterMs)) {
      await parts.askVolume(context, request, { ...options, target: service.host });
    } else return false;
    return true;
  } catch (error) {
    parts.onUnreached(service, error);
    return false;
  }
}

/** Without `is_up` only services that are down fit. */
function fits(request: CleanupRequest, service: ServiceRecord, downAfterMs: number): boolean {
  const { serviceId, clusterName, host, binary, isUp: wantedUp = false, disabled } = request;
  return (
    CLEANABLE_BINARIES.includes(service.binary) &&
    isUp(service, downAfterMs) === wantedUp &&
    (serviceId === undefined || serviceId === service.id) &&
    (clusterName === undefined || (service.clusterName !== null && isOfHost(service.clusterName, clusterName))) &&
    (host === undefined || isOfHost(service.host, host)) &&
    (binary === undefined || binary === service.binary) &&
    (disabled === undefined || disabled === service.disabled)
  );
}

function seen({ id, binary, host, clusterName }: ServiceRecord): CleanedService {
  return { id, binary, host, clusterName: clusterName ?? undefined };
}
