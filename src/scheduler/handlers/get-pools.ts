import type { Pool, SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { Fault } from '../../errors/fault.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import type { Pools } from '../pools.js';

/** `GetPools`: what was last reported, without what has been placed since. Rule: cinder/scheduler/host_manager.py, `get_pools`. */
export function getPools({
  pools,
}: {
  readonly pools: Pools;
}): InternalHandler<typeof SchedulerManagerService.getPools> {
  return async ({ filters }) => {
    const other = [...filters.keys()].find((key) => key !== 'name');
    if (other !== undefined) throw new Fault('NotBuilt', { what: `filters["${other}"]` });
    const name = filters.get('name');
    const found = pools.list().filter(({ backendId }) => name === undefined || backendId === name);
    return {
      pools: found.map(({ backendId, capabilities }): Pool => ({ name: backendId, capabilities: { ...capabilities } })),
    };
  };
}
