import type { PlacementRequest } from '../placement-request.js';
import type { Pool } from '../pool-state.js';
import { get } from '../python/value.js';
import { ALL_PASS, type Filter } from './filter.js';
import { capabilityAt, isMet } from './requirement.js';

/** Keeps the pools that report what the volume type asks for. Rule: cinder/scheduler/filters/capabilities_filter.py. */
export const capabilitiesFilter: Filter = {
  name: 'CapabilitiesFilter',

  passes: (pool, request) =>
    canGrow(pool, request) && request.requirements.list.every((requirement) => isMet(requirement, pool.capabilities)),

  shortcut: ({ growsInUse, requirements }) =>
    growsInUse || requirements.id !== '' ? { kind: 'standing', key: `${growsInUse} ${requirements.id}` } : ALL_PASS,

  reason(pool, request) {
    if (!canGrow(pool, request)) return 'cannot extend a volume that is in use';
    const unmet = request.requirements.list.find((requirement) => !isMet(requirement, pool.capabilities));
    if (unmet === undefined) return 'meets what the type asks for';
    const value = capabilityAt(unmet.path, pool.capabilities);
    const reported = value === undefined ? 'does not report it' : `reports ${JSON.stringify(value)}`;
    return `${reported}, where the type asks for ${unmet.key} '${unmet.spec ?? ''}'`;
  },

  complaint: 'do not have what the volume type asks for',
};

function canGrow(pool: Pool, { growsInUse }: PlacementRequest): boolean {
  return !growsInUse || get(pool.capabilities, 'online_extend_support') !== false;
}
