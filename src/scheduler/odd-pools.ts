import { type Oddity, type OddityKind, ODDITY_KINDS } from './odd-figures.js';
import { odditiesOf } from './oddities.js';
import type { Pools } from './pools.js';

export interface OddPoolsOptions {
  readonly pools: Pick<Pools, 'list' | 'find'>;
  /** Now, ms. */
  readonly now: () => number;
  /** `backend_stats_polling_interval`, ms. */
  readonly intervalMs: number;
  /** How long one look lasts, ms. @default 10000 */
  readonly lookEveryMs?: number;
  /** Told the pools that have become odd in a way since the last look. */
  readonly onNews: (kind: OddityKind, pools: readonly OddPool[]) => void;
}

/** A pool, and what is odd about it in words. */
export interface OddPool {
  /** `host@backend#pool`. */
  readonly pool: string;
  readonly text: string;
}

const LOOK_EVERY_MS = 10_000;

/** Knows which pools report what cannot be, or have not reported for long; and says so once. */
export class OddPools {
  readonly #options: OddPoolsOptions;
  /** By pool, what has been told and is so still. */
  #told = new Map<string, ReadonlySet<OddityKind>>();
  #lookedAt = -Infinity;

  constructor(options: OddPoolsOptions) {
    this.#options = options;
  }

  /** What is odd about a pool by `backendId`; nothing of one that is not there. */
  of(backendId: string): readonly Oddity[] {
    const { pools, now, intervalMs } = this.#options;
    const pool = pools.find(backendId);
    return pool ? odditiesOf(pool, { now: now(), intervalMs }) : [];
  }

  /** How many pools are odd, in each way. */
  counts(): ReadonlyMap<OddityKind, number> {
    const counts = new Map<OddityKind, number>(ODDITY_KINDS.map((kind) => [kind, 0]));
    for (const { oddities } of this.#odd()) {
      for (const { kind } of oddities) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    return counts;
  }

  /** Tells what is new, unless the last look was a moment ago. */
  look(): void {
    const { now, lookEveryMs = LOOK_EVERY_MS, onNews } = this.#options;
    if (now() - this.#lookedAt < lookEveryMs) return;
    this.#lookedAt = now();
    const told = new Map<string, ReadonlySet<OddityKind>>();
    const news = new Map<OddityKind, OddPool[]>();
    for (const { pool, oddities } of this.#odd()) {
      told.set(pool, new Set(oddities.map(({ kind }) => kind)));
      for (const { kind, text } of oddities) {
        if (this.#told.get(pool)?.has(kind)) continue;
        const found = news.get(kind) ?? [];
        found.push({ pool, text });
        news.set(kind, found);
      }
    }
    this.#told = told;
    for (const [kind, pools] of news) onNews(kind, pools);
  }

  #odd(): readonly { readonly pool: string; readonly oddities: readonly Oddity[] }[] {
    const { pools, now, intervalMs } = this.#options;
    const times = { now: now(), intervalMs };
    const odd: { readonly pool: string; readonly oddities: readonly Oddity[] }[] = [];
    for (const pool of pools.list()) {
      const oddities = odditiesOf(pool, times);
      if (oddities.length > 0) odd.push({ pool: pool.backendId, oddities });
    }
    return odd;
  }
}
