import type { Books } from './audit.js';
import type { SnapshotOptions } from './deltas/snapshot.js';
import { openItems } from './open-items.js';
import type { Amounts } from './resources.js';
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
  const items = openItems(books);
  const used = new Map(sumsOf({ ...books.records, settlements: [] }, options));
  const promised = new Map<string, number>();
  for (const { inUse, reserved } of items) {
    add(used, inUse);
    add(promised, reserved);
  }
  return [...between('in use', used, books.inUse), ...between('reserved', promised, promisedIn(books))].sort((a, b) =>
    a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0,
  );
}

/** What Redis has promised in all: reservations and holds. */
export function promisedIn({ held, pinned }: Books): ReadonlyMap<string, number> {
  const sums = new Map(held.sums);
  add(sums, Object.fromEntries(pinned.sums));
  return sums;
}

function add(sums: Map<string, number>, amounts: Amounts): void {
  for (const [resource, amount] of Object.entries(amounts)) sums.set(resource, (sums.get(resource) ?? 0) + amount);
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
