import type { Store } from '../db/store.js';
import { countVolumesByHost } from '../db/volume-counts.js';
import { CachedRead } from '../rpc/cached-read.js';

/** How long a count is good for, ms; what this process places meanwhile is added at once. */
const MAX_AGE_MS = 1_000;

/** How many volumes each pool holds, read at most once a second however many requests ask. */
export class VolumeCounts {
  readonly #cached: CachedRead<ReadonlyMap<string, number>>;
  #last = new Map<string, number>();

  constructor(store: Store) {
    const read = async (): Promise<Map<string, number>> => (this.#last = await countVolumesByHost(store));
    this.#cached = new CachedRead(read, { what: 'volumes', maxAgeMs: MAX_AGE_MS });
  }

  /** By `host@backend#pool`. Throws DatabaseUnavailable while there is nothing to go by. */
  read(): Promise<ReadonlyMap<string, number>> {
    return this.#cached.get();
  }

  /** Counts a volume that was placed just now. */
  placed(host: string): void {
    this.#last.set(host, (this.#last.get(host) ?? 0) + 1);
  }
}
