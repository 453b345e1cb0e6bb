import type { VolumeType } from './volume-type.js';

/** What a volume that is to be placed needs. Rule: cinder/objects/request_spec.py. Absent is Cinder's null. */
export interface RequestSpec {
  readonly volumeId?: string;
  readonly snapshotId?: string;
  readonly sourceVolumeId?: string;
  readonly imageId?: string;
  readonly groupId?: string;
  readonly backupId?: string;
  readonly volumeType?: VolumeType;
  readonly volumeProperties: VolumeProperties;
  /** The only backend (with `#pool`: the only pool) that will do. */
  readonly resourceBackend?: string;
  readonly operation?: string;
  /** The zones that will do; empty: see `volumeProperties.availabilityZone`. */
  readonly availabilityZones: readonly string[];
}

/** What filters and weighers look at. */
export interface VolumeProperties {
  readonly sizeGib: number;
  readonly projectId?: string;
  readonly userId?: string;
  readonly name?: string;
  readonly description?: string;
  readonly availabilityZone?: string;
  readonly volumeTypeId?: string;
  readonly status?: string;
  readonly attachStatus?: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly qosSpecs: ReadonlyMap<string, string>;
  readonly multiattach: boolean;
}

/** What travels beside a request spec. */
export interface FilterProperties {
  /** Cinder's hints by name; values as JSON. */
  readonly schedulerHints: ReadonlyMap<string, string>;
  readonly retry?: Retry;
}

/** The history of the attempts. Rule: cinder/scheduler/filter_scheduler.py, `_populate_retry`. */
export interface Retry {
  readonly numAttempts: number;
  readonly backends: readonly string[];
  /** The text of the last failure. */
  readonly exc: readonly string[];
}
