import type { NamedPlace, QuarantinedVolume, StoredName, VolumeInventory } from '../inventory.js';
import { isVolumeId } from './file-names.js';
import { type PoolFolder, poolFault } from './pool-folder.js';

/** The pools of a driver; both throw DriverNotInitialized while it is not started. */
export interface PoolsOfDriver {
  readonly all: () => readonly PoolFolder[];
  /** Throws VolumeBackendAPIException when there is no such pool. */
  readonly get: (name: string) => PoolFolder;
}

/** What is in the folders of a file driver. */
export class FileInventory implements VolumeInventory {
  readonly #pools: PoolsOfDriver;

  constructor(pools: PoolsOfDriver) {
    this.#pools = pools;
  }

  list(signal: AbortSignal): AsyncGenerator<readonly StoredName[]> {
    return this.#inEach((pool) => pool.list(signal));
  }

  listQuarantined(signal: AbortSignal): AsyncGenerator<readonly QuarantinedVolume[]> {
    return this.#inEach((pool) => pool.quarantined.list(signal));
  }

  async sizeOf({ id, pool }: NamedPlace): Promise<number | undefined> {
    const isHere = this.#pools.all().some(({ name }) => name === pool);
    return isHere && isVolumeId(id) ? this.#in(pool, (folder) => folder.sizeOf(id)) : undefined;
  }

  quarantine({ id, pool }: NamedPlace): Promise<boolean> {
    return this.#in(pool, (folder) => folder.quarantine(id));
  }

  removeQuarantined(volume: QuarantinedVolume): Promise<void> {
    return this.#in(volume.pool, (folder) => folder.quarantined.remove(volume));
  }

  async *#inEach<T>(list: (pool: PoolFolder) => AsyncIterable<readonly T[]>): AsyncGenerator<readonly T[]> {
    for (const pool of this.#pools.all()) {
      try {
        yield* list(pool);
      } catch (error) {
        throw poolFault(pool.name, error);
      }
    }
  }

  async #in<T>(name: string, look: (pool: PoolFolder) => Promise<T>): Promise<T> {
    const pool = this.#pools.get(name);
    try {
      return await look(pool);
    } catch (error) {
      throw poolFault(name, error);
    }
  }
}
