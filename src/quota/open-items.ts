import type { Settlement } from '../db/quota-settlements.js';
import type { Books, Promised } from './audit.js';
import type { Amounts } from './resources.js';
import type { Word } from './scripts.js';

/** Something between the records and Redis: a reservation, or a change that one of them has and the other may not. */
export interface OpenItem {
  readonly id: string;
  /** `reservation`: no record is written for it yet. The others have a settlement. */
  readonly kind: 'reservation' | Settlement['kind'];
  /** What Redis says of it. */
  readonly word: Word;
  /** Who made it: the id of a request; empty: not said. */
  readonly note: string;
  /** ms, Redis's clock. */
  readonly expiresAt: number | undefined;
  /** What Redis must have in use beyond what the records use: less than 0 where it does not count yet what they do. */
  readonly inUse: Amounts;
  /** What it promises. */
  readonly reserved: Amounts;
}

/** What is open in a project, by id. Records and open items together are the usage. Rule: docs/protocols.md §Q, AUDIT. */
export function openItems({ records, held, pinned, words }: Books): readonly OpenItem[] {
  const settlements = new Map(records.settlements.map((settlement) => [settlement.id, settlement]));
  const reservations = new Map(held.entries.map((entry) => [entry.id, entry]));
  const holds = new Map(pinned.entries.map((entry) => [entry.id, entry]));
  const ids = new Set([...settlements.keys(), ...reservations.keys(), ...holds.keys()]);
  return [...ids].sort().map((id) => {
    const settlement = settlements.get(id);
    const [reservation, hold] = [reservations.get(id), holds.get(id)];
    const live = reservation ?? hold;
    const word = reservation ? 'reserved' : hold ? 'held' : (words.get(id) ?? 'unknown');
    return {
      ...{ id, word, kind: settlement?.kind ?? (hold ? 'hold' : 'reservation') },
      ...{ note: live?.note ?? '', expiresAt: live?.expiresAt },
      inUse: settlement ? times(settlement.deltas, outstanding(settlement, word)) : {},
      reserved: promised(settlement, reservation, hold),
    };
  });
}

type State = Pick<Settlement, 'kind' | 'state'>;

/**
 * How a settlement's amounts are in Redis and not in the records: 1: too much there, until it has followed · -1: too little · 0:
 * both agree.
 */
function outstanding({ kind, state }: State, word: Word): -1 | 0 | 1 {
  if (kind === 'release') return word === 'released' ? 0 : 1;
  const isInUse = word === 'committed';
  const isRecorded = kind === 'charge' ? state !== 'undo' : state === 'final';
  if (isInUse === isRecorded) return 0;
  return isInUse ? 1 : -1;
}

/** A reservation without a deadline would never end, and a hold that the records do not know of would not: they count for nothing. */
function promised(
  settlement: (State & Pick<Settlement, 'deltas'>) | undefined,
  reservation: Promised | undefined,
  hold: Promised | undefined,
): Amounts {
  if (reservation) return reservation.expiresAt === undefined ? {} : gained(reservation.deltas);
  if (settlement?.kind !== 'hold') return {};
  if (hold) return gained(hold.deltas);
  return settlement.state === 'held' ? gained(Object.entries(settlement.deltas)) : {};
}

/** What is given back counts from the commit on. */
function gained(deltas: readonly (readonly [resource: string, amount: number])[]): Amounts {
  return Object.fromEntries(deltas.filter(([, amount]) => amount > 0));
}

function times(amounts: Amounts, sign: -1 | 0 | 1): Amounts {
  if (sign === 0) return {};
  return Object.fromEntries(Object.entries(amounts).map(([resource, amount]) => [resource, sign * amount]));
}
