import { claimsOnBackend, recordsOfBackend } from '../db/backend-records.js';
import type { Store } from '../db/store.js';
import type { VolumeDriver, VolumePlace } from '../drivers/driver.js';
import { Fault } from '../errors/fault.js';
import { backendOf, poolOf } from '../objects/backend-name.js';
import type { Volume } from '../objects/volume.js';
import { Allocations } from './allocations.js';
import { type Findings, inspect } from './inspection.js';
import { NotBegun } from '../casts/handler.js';
import { Lanes, Places } from './lanes.js';

export interface BackendOptions {
  /** `host@backend`. */
  readonly name: string;
  /** What volume types ask for; several backends may share it. */
  readonly volumeBackendName: string;
  readonly driver: VolumeDriver;
  /** What schedulers are told of its pools. @default nothing is asked of them, and none is better than another */
  readonly functions?: PoolFunctions;
  /** Pieces of work at once, copies aside. */
  readonly concurrency: number;
  /** Copies at once: they last, and must not keep short work waiting. @default 4 */
  readonly copyConcurrency?: number;
}

/** Expressions that schedulers evaluate for each pool. */
export interface PoolFunctions {
  /** False: the pool will not do. */
  readonly filter?: string | undefined;
  /** 0 to 100. */
  readonly goodness?: string | undefined;
}

const DEFAULT_COPIES = 4;

/** One backend of this process: a driver, what is allocated on it, and the order of the work on it. */
export class Backend {
  readonly name: string;
  readonly volumeBackendName: string;
  readonly functions: PoolFunctions;
  readonly allocations = new Allocations();
  readonly #driver: VolumeDriver;
  readonly #lanes = new Lanes();
  readonly #places: Places;
  readonly #copies: Places;
  #isUp = false;

  constructor(options: BackendOptions) {
    this.name = options.name;
    this.volumeBackendName = options.volumeBackendName;
    this.functions = options.functions ?? {};
    this.#driver = options.driver;
    this.#places = new Places(options.concurrency);
    this.#copies = new Places(options.copyConcurrency ?? DEFAULT_COPIES);
  }

  /** Whether it can work; if not, it must not look alive to the schedulers. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** The driver, ready. Throws DriverNotInitialized. */
  get driver(): VolumeDriver {
    if (!this.#isUp) throw new Fault('DriverNotInitialized', { backend: this.name });
    return this.#driver;
  }

  /**
   * Starts the driver, clears away what dead owners left half-made, and counts what is allocated. Answers how storage and
   * records differ. Throws what the driver throws; it may be called again.
   */
  async start(store: Store, signal: AbortSignal): Promise<Findings> {
    const stored = await this.#driver.start(signal);
    try {
      const claims = await claimsOnBackend(store, this.name);
      const findings = await inspect(stored, recordsOfBackend(store, this.name), claims);
      for (const remains of findings.abandoned) await this.#driver.discard(remains);
      this.allocations.reset(findings.allocated);
      signal.throwIfAborted();
      this.#isUp = true;
      return findings;
    } catch (error) {
      await this.#driver.stop();
      throw error;
    }
  }

  /** Looks whether it can still be used. Throws what is wrong. */
  check(): Promise<void> {
    return this.#driver.check();
  }

  /** It cannot be used any more: from now on it looks down, and work that begins fails. Ends when what is under way has. */
  async fall(): Promise<void> {
    this.#isUp = false;
    await this.#lanes.idle();
    await this.#driver.stop();
  }

  /** Begins no more work: what waits for its turn is given back, and what is under way goes on. */
  drain(): void {
    const reason = new NotBegun();
    this.#places.close(reason);
    this.#copies.close(reason);
  }

  /** To be called when no work is under way. */
  async stop(): Promise<void> {
    this.#isUp = false;
    await this.#driver.stop();
  }

  /** Whether there is work on a volume, or reading it, or some waits for its turn. */
  isAtWorkOn(volumeId: string): boolean {
    return this.#lanes.has(volumeId);
  }

  /** Runs work on a volume when a place is free and no other work on this volume is under way. */
  run<T>(volumeId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#lanes.run({ key: volumeId, places: this.#places, signal }, work);
  }

  /**
   * Runs the making of a volume from another one. Copies of one source go together; a deletion of the source waits for them,
   * and they for it. Rule: cinder/volume/manager.py, the lock `<source>-delete_volume`.
   */
  runCopy<T>(volumeId: string, sourceId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#lanes.run({ key: volumeId, reads: sourceId, places: this.#copies, signal }, work);
  }

  /** Where a volume is on this backend. Throws NotMyBackend for a volume that is somewhere else. */
  placeOf(volume: Volume): VolumePlace {
    const pool = volume.host === null ? undefined : poolOf(volume.host);
    if (pool === undefined || volume.host === null || backendOf(volume.host) !== this.name) {
      throw new Fault('NotMyBackend', { target: volume.host ?? '' });
    }
    return { id: volume.nameId ?? volume.id, pool, sizeGib: volume.sizeGib };
  }
}
