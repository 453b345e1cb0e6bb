import { ASK_EACH, type Filter } from './filters/filter.js';
import type { PlacementRequest } from './placement-request.js';
import type { Pool } from './pool-state.js';
import { NO, UNKNOWN, YES, type PoolTable } from './pool-table.js';
import type { FilterTally } from './refusal.js';
import { unusable } from './unusable.js';

/** What one filter did to the rows that reached it. */
export interface Sift {
  readonly filter: Filter;
  readonly poolCount: number;
  readonly passedCount: number;
  /** Rows of the first that were rejected. */
  readonly quoted: readonly number[];
}

/** What is asked, and of which rows of the table. */
interface Asked {
  readonly filter: Filter;
  readonly table: PoolTable;
  readonly rows: Uint32Array;
  readonly request: PlacementRequest;
}

/**
 * Moves the rows of the pools that pass to the front, in their order; `verdicts` has a place for each. Quotes up to `quotes`
 * rejections. Throws UnusableCapability.
 */
export function sift(asked: Asked, verdicts: Uint8Array, quotes: number): Sift {
  judge(asked, verdicts);
  const { filter, rows } = asked;
  const quoted: number[] = [];
  let passedCount = 0;
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index] as number; // index is in range
    const verdict = verdicts[index] as number;
    if (quoted.length < quotes && verdict === NO) quoted.push(row);
    // without a branch: which pools pass is as good as random, and a processor that guesses wrong waits
    rows[passedCount] = row;
    passedCount += verdict & YES;
  }
  return { filter, poolCount: rows.length, passedCount, quoted };
}

/** The same in words. */
export function tally(
  { filter, poolCount, passedCount, quoted }: Sift,
  pools: readonly Pool[],
  request: PlacementRequest,
): FilterTally {
  const examples = quoted.map((row) => {
    const pool = pools[row] as Pool; // of the table
    return { pool: pool.backendId, reason: filter.reason(pool, request) };
  });
  return {
    filter: filter.name,
    poolCount,
    rejectedCount: poolCount - passedCount,
    complaint: filter.complaint,
    examples,
  };
}

function judge({ filter, table, rows, request }: Asked, verdicts: Uint8Array): void {
  const ask = (row: number): number => {
    const pool = table.pools[row] as Pool; // of the table
    try {
      return filter.passes(pool, request) ? YES : NO;
    } catch (error) {
      throw unusable(error, pool.backendId, filter.name);
    }
  };
  const shortcut = filter.shortcut?.(request) ?? ASK_EACH;
  if (shortcut.kind === 'all') verdicts.fill(YES);
  else if (shortcut.kind === 'standing') {
    recall(table.answers(`${filter.name} ${shortcut.key}`), rows, ask, verdicts);
  } else if (shortcut.kind === 'least') {
    const exempt = shortcut.exempt === null ? undefined : table.rowOf(shortcut.exempt);
    compare(table.column(shortcut.column), shortcut.least, exempt ?? -1, rows, ask, verdicts);
  } else {
    for (let index = 0; index < rows.length; index += 1) verdicts[index] = ask(rows[index] as number);
  }
}

function recall(answers: Uint8Array, rows: Uint32Array, ask: (row: number) => number, verdicts: Uint8Array): void {
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index] as number;
    let answer = answers[row] as number;
    if (answer === UNKNOWN) {
      answer = ask(row);
      answers[row] = answer;
    }
    verdicts[index] = answer;
  }
}

function compare(
  column: Float64Array,
  least: number,
  exempt: number,
  rows: Uint32Array,
  ask: (row: number) => number,
  verdicts: Uint8Array,
): void {
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index] as number;
    const value = column[row] as number;
    if (Number.isNaN(value)) verdicts[index] = ask(row);
    else verdicts[index] = value >= least || row === exempt ? YES : NO;
  }
}
