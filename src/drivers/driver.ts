import type { VolumeInventory } from './inventory.js';

/**
 * What makes volumes real: one driver serves one backend. Calls for one volume never overlap; calls for different volumes
 * do. Unread blocks of a new volume are zero. Failures are Faults: VolumeBackendAPIException, after which another backend
 * may be tried, or DriverNotInitialized.
 */
export interface VolumeDriver {
  readonly capabilities: DriverCapabilities;
  readonly inventory: VolumeInventory;
  /**
   * Makes the backend ours and answers what is stored there. Until it has ended well, nothing else is called but `stop`.
   * Throws when the backend cannot be used now; it may be called again.
   */
  start(signal: AbortSignal): Promise<readonly StoredVolume[]>;
  /** Gives the backend up. Safe to repeat. */
  stop(): Promise<void>;
  /**
   * Looks whether the backend can still be used as it was started; cheap, and asked each second. Throws what is wrong. Then it is
   * stopped, when no work is under way, and started until it starts.
   */
  check(): Promise<void>;
  /** The pools as they are now. */
  capacity(): Promise<readonly PoolCapacity[]>;
  /** Makes a volume that survives a power cut, or nothing. Safe to repeat: a volume that is there is left as it is. */
  createVolume(volume: NewVolume, work: Work): Promise<void>;
  /**
   * Makes a volume with the content of another one of this backend, of at least its size; what lies beyond the source's end
   * reads as zero. Bytes are copied as they are, whatever format they look like, and the source is not changed. Otherwise as
   * `createVolume`. A source that is written to meanwhile gives a copy of which each block is as it was at some moment.
   */
  createClonedVolume(volume: NewVolume, source: VolumePlace, work: Work): Promise<void>;
  /** Destroys a volume for good. Safe to repeat: absent is done. */
  deleteVolume(volume: VolumePlace, work: Work): Promise<void>;
  /** Removes what a former owner left half-made. Safe to repeat. */
  discard(remains: HalfMade): Promise<void>;
}

/** What a driver says of itself, in the words of Cinder's capability report. */
export interface DriverCapabilities {
  readonly vendorName: string;
  readonly driverVersion: string;
  readonly storageProtocol: string;
  readonly thinProvisioning: boolean;
  readonly thickProvisioning: boolean;
  readonly multiattach: boolean;
  /** Whether exports of different volumes share one target. */
  readonly sharedTargets: boolean;
}

/** Sizes in GiB, with fractions. */
export interface PoolCapacity {
  readonly name: string;
  readonly totalGib: number;
  readonly freeGib: number;
  /** Sum of the sizes that were promised. */
  readonly provisionedGib: number;
  /** Ids of the volumes that `provisionedGib` is the sum of, whole or on their way, at the moment it was taken. */
  readonly volumes: ReadonlySet<string>;
  readonly reservedPercentage: number;
  readonly maxOverSubscriptionRatio: OverSubscription;
}

/** How many times its capacity a pool may promise; `auto`: as Cinder derives it from what is used. */
export type OverSubscription = number | 'auto';

/** Where a volume is. */
export interface VolumePlace {
  /** UUID. */
  readonly id: string;
  readonly pool: string;
  readonly sizeGib: number;
}

/** A volume to make. */
export interface NewVolume extends VolumePlace {
  /** Of the claim under which it is made: what is half-made carries it. */
  readonly epoch: number;
  /** Whether an owner before us had begun. */
  readonly resumed: boolean;
}

/** What a piece of work hears and says on its way. */
export interface Work {
  /** Aborted: end soon with its reason, and leave nothing half-made. */
  readonly signal: AbortSignal;
  /** Told 0 to 100; 100 means that the volume is there. Long work begins with 0. */
  readonly onProgress: (percent: number) => void;
}

/** Something of ours that was found on a backend. */
export type StoredVolume = CompleteVolume | HalfMade;

/** A volume that is there, whole. */
export interface CompleteVolume {
  readonly kind: 'complete';
  readonly id: string;
  readonly pool: string;
  /** NaN: something else has its name. */
  readonly sizeBytes: number;
}

/** What the owner with this epoch had begun. */
export interface HalfMade {
  readonly kind: 'half-made';
  readonly id: string;
  readonly pool: string;
  readonly epoch: number;
}

/** Bytes of a GiB. */
export const GIB = 2 ** 30;
