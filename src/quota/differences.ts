import type { Settlement } from '../db/quota-settlements.js';
import type { Books } from './audit.js';
import type { SnapshotOptions } from './deltas/snapshot.js';
import { sumsOf } from './sums.js';

/** Where Redis says otherwise than the records. */
export interface Difference {
  /** Its key; of `corrupt`: the key in Redis that no script wrote. */
  readonly resource: string;
  readonly figure: 'in use' | 'reserved' | 'corrupt';
  readonly recorded: number;
  readonly inRedis: number;
}

/** The differences, by resource. None: the books agree. Rule: docs/protocols.md §Q, AUDIT. */
export function differencesIn(books: Books, options: SnapshotOptions): readonly Difference[] {
  const inRedis = new Map(books.held.sums);
  for (const [resource, amount] of books.pinned.sums) inRedis.set(resource, (inRedis.get(resource) ?? 0) + amount);
  return [
    ...between('in use', inUseAsRecorded(books, options), books.inUse),
    ...between('reserved', promisedAsRecorded(books), inRedis),
  ].sort((a, b) => (a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0));
}

/**
 * What Redis must have in use: what the records use, but with each change of theirs that it has not followed yet taken back, and
 * with each that it still has although the records have not. What it has followed, its word says.
 */
export function inUseAsRecorded({ records, words }: Books, options: SnapshotOptions): ReadonlyMap<string, number> {
  // as a rebuild counts, every open charge is undecided; here some are decided
  const settlements = records.settlements.filter(({ id }) => words.get(id) !== 'committed');
  const sums = new Map(sumsOf({ ...records, settlements }, options));
  for (const settlement of records.settlements) {
    const sign = outstanding(settlement, words.get(settlement.id));
    if (sign === 0) continue;
    for (const [resource, delta] of Object.entries(settlement.deltas)) {
      sums.set(resource, (sums.get(resource) ?? 0) + sign * delta);
    }
  }
  return sums;
}

/** How the deltas of a settlement that is not an undecided charge are still in Redis: 1: too much · -1: too little. */
function outstanding({ kind, state }: Pick<Settlement, 'kind' | 'state'>, word: string | undefined): -1 | 0 | 1 {
  if (kind === 'release') return word === 'released' ? 0 : 1;
  if (state === 'final') return word === 'committed' ? 0 : -1;
  if (state === 'undo') return word === 'committed' ? 1 : 0;
  return 0;
}

/** What is promised: reservations, which expire, and the holds that the records know of. */
function promisedAsRecorded({ records, held, pinned }: Books): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  const add = (deltas: Iterable<readonly [resource: string, amount: number]>): void => {
    for (const [resource, amount] of deltas) {
      if (amount > 0) sums.set(resource, (sums.get(resource) ?? 0) + amount);
    }
  };
  const holds = new Map(records.settlements.filter(({ kind }) => kind === 'hold').map((hold) => [hold.id, hold]));
  const kept = new Set(pinned.entries.map(({ id }) => id));
  for (const { deltas, expiresAt } of held.entries) if (expiresAt !== undefined) add(deltas);
  for (const { id, deltas } of pinned.entries) if (holds.has(id)) add(deltas);
  for (const { id, state, deltas } of holds.values()) {
    if (state === 'held' && !kept.has(id)) add(Object.entries(deltas));
  }
  return sums;
}

function between(
  figure: Difference['figure'],
  recorded: ReadonlyMap<string, number>,
  inRedis: ReadonlyMap<string, number>,
): Difference[] {
  return [...new Set([...recorded.keys(), ...inRedis.keys()])]
    .map((resource) => ({
      ...{ resource, figure },
      recorded: recorded.get(resource) ?? 0,
      inRedis: inRedis.get(resource) ?? 0,
    }))
    .filter((each) => each.recorded !== each.inRedis);
}
