import type { SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import type { CapacityNotice } from '../capacity-usage.js';
import type { Pools } from '../pools.js';
import { timeOfReport } from '../report-time.js';

export interface NotifyServiceCapabilitiesParts {
  readonly pools: Pools;
  /** Now, ms. */
  readonly now: () => number;
  /** Told what changed. */
  readonly announce: (notice: CapacityNotice) => void;
}

/** Announces what changed in a backend's report. Rule: cinder/scheduler/manager.py, `notify_service_capabilities`. */
export function notifyServiceCapabilities(
  parts: NotifyServiceCapabilitiesParts,
): InternalHandler<typeof SchedulerManagerService.notifyServiceCapabilities> {
  return async ({ serviceName, host, backend, capabilities, timestamp }) => {
    const name = backend ?? host;
    if (serviceName !== 'volume' || name === undefined) return {};
    const notice = parts.pools.notify({
      host: name,
      clusterName: null,
      ...timeOfReport(timestamp?.getTime(), parts.now()),
      capabilities: capabilities ?? {},
    });
    if (notice) parts.announce(notice);
    return {};
  };
}
