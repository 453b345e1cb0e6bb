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
