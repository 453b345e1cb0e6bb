import { withoutAnswer } from './outcome.js';
import type { Pairs } from './table.js';

/** Two versions that meet. */
export interface Pair {
  readonly one: string;
  readonly other: string;
}

/** By the title of a call. */
export type Outcomes = ReadonlyMap<string, string>;

const PAIRS_AT_ONCE = 8;

/** The outcomes of each call, pair by pair, of the pairs that are asked for. */
export async function outcomesOf(
  pairs: readonly Pair[],
  ask: (pair: Pair) => Promise<Outcomes>,
): Promise<(title: string, wanted: (pair: Pair) => boolean) => Pairs['outcomes']> {
  const found = new Map<Pair, Outcomes>();
  await eachOf(pairs, async (pair) => found.set(pair, await ask(pair)));
  return (title, wanted) => {
    const rows = new Map<string, Map<string, string>>();
    for (const pair of pairs.filter(wanted)) {
      const row = rows.get(pair.one) ?? new Map<string, string>();
      rows.set(pair.one, row.set(pair.other, found.get(pair)?.get(title) ?? 'lost'));
    }
    return rows;
  };
}

/** Whether every outcome is the same there. */
export function isWithin(some: Pairs['outcomes'], all: Pairs['outcomes']): boolean {
  return [...some].every(([one, row]) =>
    [...row].every(([other, outcome]) => withoutAnswer(all.get(one)?.get(other) ?? '') === outcome),
  );
}

/** Some at once. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: PAIRS_AT_ONCE }, worker));
}
