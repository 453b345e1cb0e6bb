import type { VolumeType } from '../objects/volume-type.js';
import type { Filter } from './filters/index.js';
import { NO_SURROUNDINGS, type PlacementRequest, wantsThin } from './placement-request.js';
import { parseRequirements } from './filters/requirement.js';
import type { Pool } from './pool-state.js';
import { str } from './python/repr.js';
import { isTrueWord } from './python/text.js';
import { equals, get, isList, isMap, type Value } from './python/value.js';
import { unusable } from './unusable.js';

/** Which pools to list. All of it together. */
export interface PoolQuery {
  /** `host@backend#pool`, or with the cluster in the host's place. */
  readonly name?: string;
  /** Capability → what it must be equal to, as Cinder compares them. */
  readonly capabilities: ReadonlyMap<string, Value>;
  /** Only those that the filters let pass for a volume of this type, of which no size is known. */
  readonly volumeType?: VolumeType;
}

/**
 * The pools a query asks for, in their order. With a type, the capacity filter has no size to compare with: as in Cinder
 * that is an error for every pool of measured capacity. Throws UnusableCapability.
 * Rule: cinder/scheduler/host_manager.py, `get_pools`.
 */
export function listed(pools: readonly Pool[], query: PoolQuery, filters: readonly Filter[]): readonly Pool[] {
  const found = pools.filter(
    ({ backendId, capabilities }) =>
      (query.name === undefined || backendId === query.name) &&
      [...query.capabilities].every(([key, wanted]) => isEqualConverted(get(capabilities, key) ?? null, wanted)),
  );
  if (query.volumeType === undefined) return found;
  const request = requestOf(query.volumeType);
  return filters.reduce((left, filter) => left.filter((pool) => passes(filter, pool, request)), found);
}

/** Of one kind, or a number with a boolean: as they are; a boolean with a word for one; else as text. Rule: `_equal_after_convert`. */
function isEqualConverted(capability: Value, wanted: Value): boolean {
  const isOneKind =
    kind(capability) === kind(wanted) || (typeof capability === 'number' && typeof wanted === 'boolean');
  if (capability === null || isOneKind) return equals(capability, wanted);
  if (typeof capability === 'boolean') return capability === isTrueWord(str(wanted));
  return str(capability) === str(wanted);
}

function kind(value: Value): string {
  return isList(value) ? 'list' : isMap(value) ? 'mapping' : typeof value;
}

function passes(filter: Filter, pool: Pool, request: PlacementRequest): boolean {
  try {
    return filter.passes(pool, request);
  } catch (error) {
    throw unusable(error, pool.backendId, filter.name);
  }
}

function requestOf({ extraSpecs }: VolumeType): PlacementRequest {
  const specs = Object.fromEntries(extraSpecs);
  return {
    requestedGib: null,
    isThin: wantsThin(specs),
    zones: [],
    zone: '',
    requirements: parseRequirements(extraSpecs),
    growsInUse: false,
    existsOn: null,
    tried: [],
    resourceBackend: null,
    extraSpecs: specs,
    qosSpecs: null,
    volumeProperties: {},
    hints: {},
    ...NO_SURROUNDINGS,
  };
}
