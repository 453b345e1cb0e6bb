import type { Store } from '../../db/store.js';
import { findVolumeType } from '../../db/volume-types.js';
import type { Pool, SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { Fault } from '../../errors/fault.js';
import type { VolumeType } from '../../objects/volume-type.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import type { Filter } from '../filters/index.js';
import type { OddPools } from '../odd-pools.js';
import { listed } from '../pool-listing.js';
import type { Pools } from '../pools.js';

export interface GetPoolsParts {
  readonly pools: Pools;
  readonly oddPools: Pick<OddPools, 'of'>;
  readonly store: Store;
  readonly filters: readonly Filter[];
}

/**
 * `GetPools`: what was last reported, without what has been placed since. Throws VolumeTypeNotFound, UnusableCapability.
 * Rule: cinder/scheduler/host_manager.py, `get_pools`.
 */
export function getPools(parts: GetPoolsParts): InternalHandler<typeof SchedulerManagerService.getPools> {
  return async ({ filters }) => {
    const capabilities = new Map(filters);
    const { name, volume_type: type } = Object.fromEntries(filters);
    for (const key of ['name', 'volume_type']) capabilities.delete(key);
    const volumeType = type ? await typeOf(parts.store, type) : undefined;
    const query = { capabilities, ...(name && { name }), ...(volumeType && { volumeType }) };
    const found = listed(parts.pools.list(), query, parts.filters);
    return {
      pools: found.map(({ backendId: name, capabilities: all }): Pool => {
        return { name, capabilities: { ...all }, oddities: [...parts.oddPools.of(name)] };
      }),
    };
  };
}

async function typeOf(store: Store, idOrName: string): Promise<VolumeType> {
  const type = await findVolumeType(store, { idOrName });
  if (!type) throw new Fault('VolumeTypeNotFound', { volumeType: idOrName });
  return type;
}
