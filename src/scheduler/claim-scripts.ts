import { loadScript } from '../redis/script.js';

/** What `claim` said, with the GiB that are claimed of the pool, by others when it was lost. */
export interface ClaimReply {
  readonly answer: 'won' | 'lost';
  readonly claimedGib: number;
  /** When the report was made whose figures decided, ms. */
  readonly reportedAt: number;
  /** Claims whose deadline had come. */
  readonly expiredCount: number;
}

/** What is claimed of a backend. */
export interface Outstanding {
  readonly claimCount: number;
  /** GiB by pool; a pool without claims is not there. */
  readonly gibByPool: ReadonlyMap<string, number>;
}

/** Every claim on a backend. */
export interface ClaimBook {
  /** How many there are. */
  readonly count: number;
  /** They, or as many as were asked for. */
  readonly claims: readonly ListedClaim[];
  /** Pools whose sum is not what their claims add up to. */
  readonly differences: readonly { readonly pool: string; readonly takenGib: number; readonly claimedGib: number }[];
  /** A key that is not of the type that claims have, so that nothing can be told; absent: all are. */
  readonly oddKey?: { readonly key: string; readonly type: string };
}

/** One of them. */
export interface ListedClaim {
  readonly volumeId: string;
  readonly epoch: number;
  readonly pool: string;
  readonly gib: number;
  /** Until it ends by itself, ms. */
  readonly leftMs: number;
}

const KEYS = ['claims', 'deadlines', 'taken', 'figures'] as const;

/** Loads the scripts of `scripts/redis/claims`. Throws when a header does not agree with its use here. */
export function loadClaimScripts() {
  const prelude = file('book');
  return {
    claim: loadScript({
      file: file('claim'),
      prelude,
      keys: KEYS,
      args: ['keep', 'volume', 'epoch', 'pool', 'gib', 'kind', 'reported', 'thin', 'thick', 'ttl'],
      decode: (reply): ClaimReply => {
        const [answer, claimedGib, reportedAt, expiredCount] = reply as [ClaimReply['answer'], number, string, number];
        return { answer, claimedGib, reportedAt: Number(reportedAt), expiredCount };
      },
    }),
    release: loadScript({
      file: file('release'),
      prelude,
      keys: KEYS,
      args: ['keep', 'volume', 'from', 'below'],
      decode: (reply) => reply as number,
    }),
    fold: loadScript({
      file: file('fold'),
      prelude,
      keys: KEYS,
      args: ['keep', 'rooms', 'included'],
      decode: (reply) => {
        const [endedCount, expiredCount] = reply as [number, number];
        return { endedCount, expiredCount };
      },
    }),
    list: loadScript({
      file: file('list'),
      prelude,
      keys: KEYS,
      args: ['keep', 'most'],
      decode: (reply): ClaimBook => {
        const [count, listed, differ] = reply as [number, string, string];
        if (count < 0) return { count: 0, claims: [], differences: [], oddKey: { key: listed, type: differ } };
        const rows = <Row>(json: string) => (json === '' ? [] : (JSON.parse(json) as Row[]));
        return {
          count,
          claims: rows<[string, number, string, number, number]>(listed).map(
            ([volumeId, epoch, pool, gib, leftMs]) => ({
              ...{ volumeId, epoch, pool, gib, leftMs },
            }),
          ),
          differences: rows<[string, number, number]>(differ).map(([pool, takenGib, claimedGib]) => ({
            ...{ pool, takenGib, claimedGib },
          })),
        };
      },
    }),
    recount: loadScript({
      file: file('recount'),
      prelude,
      keys: KEYS,
      args: ['keep'],
      decode: (reply) => reply as number,
    }),
    outstanding: loadScript({
      file: file('outstanding'),
      prelude,
      keys: KEYS,
      args: ['keep'],
      decode: (reply): Outstanding => {
        const [claimCount, ...pairs] = reply as [number, ...string[]];
        const gibByPool = new Map<string, number>();
        for (let index = 0; index < pairs.length; index += 2)
          gibByPool.set(pairs[index] ?? '', Number(pairs[index + 1]));
        return { claimCount, gibByPool };
      },
    }),
  };
}

export type ClaimScripts = ReturnType<typeof loadClaimScripts>;

/** The keys of a backend, `host@backend` or `cluster@backend`: all in one hash slot. */
export function claimKeysOf(backend: string) {
  const slot = `{${backend}}`;
  return {
    claims: `${slot}:cc`,
    deadlines: `${slot}:cd`,
    taken: `${slot}:ct`,
    figures: `${slot}:cf`,
  };
}

/** Two levels up from both `src/scheduler` and `dist/scheduler`. */
function file(name: string): URL {
  return new URL(`../../scripts/redis/claims/${name}.lua`, import.meta.url);
}
