import { backendOf } from '../objects/backend-name.js';
import { CachedRead } from './cached-read.js';

/** A living process of a binary. */
export interface Peer {
  readonly incarnation: string;
  readonly host: string;
  /** `address:port` of its internal RPC. */
  readonly endpoint: string;
  /** What it serves: `host@backend` and `cluster@backend` of a volume service, the host of a scheduler. */
  readonly serves: readonly string[];
}

/** Reads the living processes of a binary; alive by the database's clock. */
export type ReadPeers = (binary: string) => Promise<readonly Peer[]>;

export interface PeersOptions {
  readonly binary: string;
  readonly read: ReadPeers;
  /** @default 1000 */
  readonly maxAgeMs?: number;
  /** Told when they cannot be read and the last answer is used. @default nobody */
  readonly onStale?: (error: unknown) => void;
}

/** Nobody found is not believed from memory: a process may have come since. But looked for again at most this often, ms. */
const SECOND_LOOK_MS = 200;

/** The living processes of one binary, at most a second old, and anew at once after `drop`. */
export class Peers {
  #secondLookAt = -Infinity;
  readonly #cache: CachedRead<readonly Peer[]>;

  constructor({ binary, read, maxAgeMs = 1_000, onStale }: PeersOptions) {
    this.#cache = new CachedRead(() => read(binary), {
      what: `the processes of ${binary}`,
      maxAgeMs,
      ...(onStale && { onStale }),
    });
  }

  live(): Promise<readonly Peer[]> {
    return this.#cache.get();
  }

  /** Those that can take a request for `target`, `host@backend` with or without a pool; empty: all. */
  async serving(target: string): Promise<readonly Peer[]> {
    const found = servingIn(await this.live(), target);
    const now = performance.now();
    if (found.length > 0 || now - this.#secondLookAt < SECOND_LOOK_MS) return found;
    this.#secondLookAt = now;
    this.drop();
    return servingIn(await this.live(), target);
  }

  /** A peer was not where it should be: the next use reads anew. */
  drop(): void {
    this.#cache.drop();
  }
}

function servingIn(live: readonly Peer[], target: string): readonly Peer[] {
  if (!target) return live;
  const backend = backendOf(target);
  return live.filter(({ serves }) => serves.includes(backend));
}
