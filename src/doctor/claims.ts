import { claimantFacts } from '../db/claimants.js';
import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import { backendsToLookAt } from './backends.js';
import { ChangedMeanwhile, type Check, checkOfLists, NotMended, type Page, type Suspect } from './check.js';

/** A claim on a pool of a backend. */
export interface Claim {
  readonly volumeId: string;
  readonly epoch: number;
  readonly pool: string;
  readonly gib: number;
  /** Until it ends by itself, ms. */
  readonly leftMs: number;
}

/** A key in Redis that somebody else has written. */
interface OddKey {
  readonly key: string;
  readonly type: string;
}

/** The claims that schedulers make. Nothing here throws. */
export interface ClaimBooks {
  /** The claims on a backend, and the pools whose sum is not theirs; undefined when nobody can say. */
  list(backend: string): Promise<
    | {
        readonly count: number;
        readonly claims: readonly Claim[];
        readonly differences: readonly {
          readonly pool: string;
          readonly takenGib: number;
          readonly claimedGib: number;
        }[];
        /** A key that is of another type than claims have, so that nothing can be told. */
        readonly oddKey?: OddKey;
      }
    | undefined
  >;
  release(claim: { readonly volumeId: string; readonly epoch: number }, backend: string): Promise<void>;
  /** False: nobody knows whether it was done. */
  recount(backend: string): Promise<boolean>;
}

export interface ClaimCheckParts {
  readonly store: Store;
  readonly claims: ClaimBooks;
  /** `backend_stats_polling_interval`, ms. */
  readonly reportIntervalMs: number;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
}

/** Report periods within which a report says what has become of a claim, and a scheduler's sweep has ended what none did. */
const REPORTS = 4;

/**
 * Room that schedulers have promised: it is for work under way, or for work that the next reports will show. What ends by
 * itself before that is left to its deadline. Rule: docs/adr/0009-capacity-claims.md.
 */
export function claimCheck(parts: ClaimCheckParts): Check {
  const lists = () => backendsToLookAt(parts.store, parts.downAfterMs);
  return checkOfLists('claims', lists, (backend) => lookAt(parts, backend));
}

async function lookAt({ store, claims, reportIntervalMs }: ClaimCheckParts, backend: string): Promise<Page> {
  const book = await claims.list(backend);
  if (!book) throw new Fault('QuotaUnavailable', { reason: 'Redis does not say what is claimed' });
  if (book.oddKey) return { examined: 0, suspects: [ofOddKey(backend, book.oddKey)] };
  const patienceMs = REPORTS * reportIntervalMs;
  const stale = await claimsWithoutWork(store, book.claims, patienceMs);
  const differences = book.differences.map(({ pool, takenGib, claimedGib }): Suspect => {
    const description = `${takenGib} GiB count as claimed, and the claims add up to ${claimedGib} GiB`;
    const repair = async (): Promise<string> => {
      if (!(await claims.recount(backend))) throw unanswered();
      return 'the claims were added up anew';
    };
    return {
      kind: 'claims_differ',
      resource: `${backend}#${pool}`,
      description,
      sign: String(takenGib - claimedGib),
      repair,
    };
  });
  return {
    examined: book.count,
    suspects: [...differences, ...stale.map((claim) => staleClaim(claims, backend, claim))],
  };
}

/**
 * Of the claims on a backend those that nobody is at work for, and that no report of the last `patienceMs` has ended; those
 * left out that end by themselves before that. The claims have to be read before.
 */
export async function claimsWithoutWork(
  store: Store,
  claims: readonly Claim[],
  patienceMs: number,
): Promise<readonly Claim[]> {
  const lasting = claims.filter(({ leftMs }) => leftMs > patienceMs);
  if (lasting.length === 0) return [];
  const { volumes, atWork } = await claimantFacts(store, [...new Set(lasting.map(({ volumeId }) => volumeId))]);
  const fresh = new Set(volumes.filter(({ unchangedMs }) => unchangedMs <= patienceMs).map(({ id }) => id));
  return lasting.filter(({ volumeId }) => !atWork.has(volumeId) && !fresh.has(volumeId));
}

/** The key may be somebody's: no repair removes what no process has made. */
function ofOddKey(backend: string, { key, type }: OddKey): Suspect {
  return {
    kind: 'claims_differ',
    resource: backend,
    description: `nobody can claim room there: the key ${key} in Redis is a ${type}, which no process makes it`,
    sign: `${key} ${type}`,
    byHand: `find out who has written it, remove it with \`DEL ${key}\` in redis-cli, and look again: schedulers make it anew`,
  };
}

function staleClaim(claims: ClaimBooks, backend: string, claim: Claim): Suspect {
  const { volumeId, epoch, pool, gib, leftMs } = claim;
  const seconds = Math.round(leftMs / 1_000);
  return {
    kind: 'claim_without_work',
    resource: volumeId,
    description: `${gib} GiB of ${backend}#${pool} are claimed for ${seconds} s more, and nobody is at work on the volume`,
    sign: `${epoch} ${pool}`,
    async repair() {
      await claims.release({ volumeId, epoch }, backend);
      const book = await claims.list(backend);
      if (!book) throw unanswered();
      if (book.oddKey) throw new NotMended(`the key ${book.oddKey.key} in Redis is a ${book.oddKey.type} by now`);
      if (book.claims.some((each) => each.volumeId === volumeId && each.epoch === epoch)) throw new ChangedMeanwhile();
      return 'the claim was released';
    },
  };
}

const unanswered = () => new Fault('QuotaUnavailable', { reason: 'Redis does not answer' });
