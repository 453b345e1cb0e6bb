import { Fault } from '../errors/fault.js';
import { backendOf, poolOf } from '../objects/backend-name.js';
import type { FilterProperties, RequestSpec } from '../objects/request-spec.js';
import { parseRequirements, type Requirements } from './filters/requirement.js';
import type { Pool } from './pool-state.js';
import { toInt } from './python/number.js';
import { isTruthy, type Value, type ValueMap } from './python/value.js';

/**
 * What filters and weighers look at: a request, read once, so that ten thousand pools need not read it again. Loosely
 * typed where Cinder's own inputs are. Rule: cinder/scheduler/filter_scheduler.py, `populate_filter_properties`.
 */
export interface PlacementRequest {
  /** GiB; 0 asks for no room. Null: the request does not say, and no pool with measured room can answer. */
  readonly requestedGib: number | null;
  /** Whether a thin volume will do: anything but the type's `provisioning:type` `thick`. */
  readonly isThin: boolean;
  /** The zones that will do; empty: any, or `zone`. */
  readonly zones: readonly string[] | string;
  /** The zone that will do; empty: any. */
  readonly zone: string;
  /** What the type asks of a pool's capabilities. */
  readonly requirements: Requirements;
  /** Whether the volume is to grow while somebody uses it. */
  readonly growsInUse: boolean;
  /** Where the volume is now, which needs no room for it. */
  readonly existsOn: string | null;
  /** The pools that were tried before, by `backendId`. */
  readonly tried: readonly string[];
  /** The only backend, or with `#pool` the only pool, that will do. */
  readonly resourceBackend: string | null;
  /** The type's specs; null: no type, or one without specs. */
  readonly extraSpecs: ValueMap | null;
  readonly qosSpecs: ValueMap | null;
  readonly volumeProperties: ValueMap;
  /** The caller's hints, by Cinder's names. Null, which only Cinder's own tools send, is not the same as none. */
  readonly hints: ValueMap | null;
  /** Of the volumes that hints name, those that the project has. */
  readonly volumes: readonly VolumePlace[];
  /** The servers that hints name → the host that each is on, as far as it is known. */
  readonly servers: ReadonlyMap<string, string>;
  /** Pools, by `host@backend#pool`, → how many volumes each holds; looked up only where a weigher asks for it. */
  readonly volumeCounts: ReadonlyMap<string, number>;
}

/** Where a volume is. */
export interface VolumePlace {
  readonly id: string;
  /** `host@backend#pool`. */
  readonly host: string | null;
  /** `cluster@backend#pool`. */
  readonly clusterName: string | null;
}

/** What the pools themselves do not say: looked up once a request, before they are asked. */
export type Surroundings = Pick<PlacementRequest, 'volumes' | 'servers' | 'volumeCounts'>;

export const NO_SURROUNDINGS: Surroundings = { volumes: [], servers: new Map(), volumeCounts: new Map() };

/** Reads what a volume to create needs. Throws InvalidInput for a hint that is no JSON. */
export function placementRequest(
  spec: RequestSpec,
  { schedulerHints, retry }: FilterProperties,
  surroundings: Surroundings = NO_SURROUNDINGS,
): PlacementRequest {
  const { volumeProperties, volumeType } = spec;
  const extraSpecs = volumeType === undefined ? null : Object.fromEntries(volumeType.extraSpecs);
  return {
    requestedGib: volumeProperties.sizeGib,
    isThin: wantsThin(extraSpecs),
    zones: spec.availabilityZones,
    zone: volumeProperties.availabilityZone ?? '',
    requirements: parseRequirements(volumeType?.extraSpecs ?? []),
    growsInUse: growsInUse(spec.operation, volumeProperties.attachStatus),
    existsOn: null,
    tried: retry?.backends ?? [],
    resourceBackend: spec.resourceBackend ?? null,
    extraSpecs,
    qosSpecs: volumeProperties.qosSpecs.size === 0 ? null : Object.fromEntries(volumeProperties.qosSpecs),
    volumeProperties: {
      size: volumeProperties.sizeGib,
      project_id: volumeProperties.projectId ?? null,
      user_id: volumeProperties.userId ?? null,
      display_name: volumeProperties.name ?? null,
      display_description: volumeProperties.description ?? null,
      availability_zone: volumeProperties.availabilityZone ?? null,
      volume_type_id: volumeProperties.volumeTypeId ?? null,
      status: volumeProperties.status ?? null,
      attach_status: volumeProperties.attachStatus ?? null,
      metadata: Object.fromEntries(volumeProperties.metadata),
      multiattach: volumeProperties.multiattach,
    },
    hints: Object.fromEntries([...schedulerHints].map(([name, json]) => [name, parseHint(name, json)])),
    ...surroundings,
  };
}

/** The spec, with a size where it says none, GiB. */
export function withSize(spec: RequestSpec, sizeGib: number): RequestSpec {
  const { volumeProperties } = spec;
  return volumeProperties.sizeGib === 0 ? { ...spec, volumeProperties: { ...volumeProperties, sizeGib } } : spec;
}

/** Whether the specs of a type leave a thin volume possible. Rule: cinder/scheduler/filters/capacity_filter.py. */
export function wantsThin(extraSpecs: ValueMap | null): boolean {
  return extraSpecs?.['provisioning:type'] !== 'thick';
}

/** The room a request is about, GiB: for a volume that grows what is added to it. */
export function requestedGib(size: Value, newSize: Value | undefined): number | null {
  if (isTruthy(newSize)) return toInt(newSize) - toInt(size);
  return typeof size === 'number' ? size : null;
}

/** Whether an operation needs a backend that can extend an attached volume. */
export function growsInUse(operation: string | undefined, attachStatus: string | undefined): boolean {
  return operation === 'extend_volume' && attachStatus !== 'detached';
}

/** Whether a pool is on the backend that a request is bound to; any is when it is bound to none. */
export function isOnResourceBackend(pool: Pool, resourceBackend: string | null): boolean {
  if (resourceBackend === null || resourceBackend === '') return true;
  const isPool = Boolean(poolOf(resourceBackend));
  return (isPool ? pool.backendId : backendOf(pool.backendId)) === resourceBackend;
}

function parseHint(name: string, json: string): Value {
  try {
    return JSON.parse(json) as Value;
  } catch {
    const violation = { field: `filter_properties.scheduler_hints["${name}"]`, description: 'must be JSON' };
    throw new Fault('InvalidInput', { violations: [violation], omitted: 0 });
  }
}
