import type { CompleteVolume, HalfMade } from './driver.js';

/**
 * What is stored on a backend while it works, for those who compare it with the records. Nothing here may be called for a
 * volume while there is work on it, but `list` and `sizeOf`, which only look. Failures are as of `VolumeDriver`.
 */
export interface VolumeInventory {
  /** Everything of ours, some at a time and in no order. What comes and goes meanwhile may be there or not. */
  list(signal: AbortSignal): AsyncIterable<readonly StoredName[]>;
  /**
   * Size of a volume in bytes; undefined: it is not there, or cannot be, in a pool or under a name that there is not; NaN:
   * something else has its name.
   */
  sizeOf(volume: NamedPlace): Promise<number | undefined>;
  /** Puts a volume away, durably, where no work finds it; its data stay. False: it is not there. Safe to repeat. */
  quarantine(volume: NamedPlace): Promise<boolean>;
  /** What was put away, some at a time and in no order. */
  listQuarantined(signal: AbortSignal): AsyncIterable<readonly QuarantinedVolume[]>;
  /** Destroys what was put away, for good. Safe to repeat: absent is done. */
  removeQuarantined(volume: QuarantinedVolume): Promise<void>;
}

/** Where a volume is stored, by its name there. */
export interface NamedPlace {
  /** UUID; `sizeOf` takes anything. */
  readonly id: string;
  readonly pool: string;
}

/** What the name of something says of it. */
export type StoredName = Omit<CompleteVolume, 'sizeBytes'> | HalfMade;

/** A volume that was put away. */
export interface QuarantinedVolume extends NamedPlace {
  /** Tells it from others of the same volume. */
  readonly name: string;
  /** When it was put away, ms since 1970 by the clock of the storage. */
  readonly since: number;
}
