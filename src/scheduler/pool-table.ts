import { roomOf } from './pool-room.js';
import type { Pool } from './pool-state.js';

/**
 * What stands ready of each pool, GiB. `thinRoom` and `thickRoom`: the greatest request that the capacity filter lets
 * pass. `thinFree` and `thickFree`: the virtual free capacity. `allocated`: as it says.
 */
export type Column = (typeof COLUMNS)[number];

/** No answer yet, as in a new array; yes; and no. The lowest bit alone tells whether it is yes. */
export const UNKNOWN = 0;
export const YES = 1;
export const NO = 2;

/** Kinds of request whose answers are remembered; a byte a pool each. The one that was used least lately goes first. */
const MAX_REMEMBERED = 256;

/**
 * The pools in their order, and beside them, in columns, the numbers that decisions compare: one pass over ten thousand
 * of them reads a few hundred kilobytes and no object. A pool whose figures are no plain numbers has NaN there, and has
 * to be asked itself.
 */
export class PoolTable {
  readonly pools: readonly Pool[];
  readonly #rows: ReadonlyMap<string, number>;
  readonly #columns: Readonly<Record<Column, Float64Array>>;
  readonly #answers = new Map<string, Uint8Array>();

  /** What `before` knows of the same pools is taken over. */
  constructor(pools: readonly Pool[], before?: PoolTable) {
    this.pools = pools;
    this.#rows = new Map(pools.map(({ backendId }, row) => [backendId, row]));
    const column = (): Float64Array => new Float64Array(pools.length);
    this.#columns = {
      ...{ thinRoom: column(), thickRoom: column(), thinFree: column(), thickFree: column(), allocated: column() },
    };
    if (before) this.#takeOver(before);
    else for (let row = 0; row < pools.length; row += 1) this.#measure(row);
  }

  /** The row of a pool by `backendId`. */
  rowOf(backendId: string): number | undefined {
    return this.#rows.get(backendId);
  }

  /** A number for each row; NaN: ask the pool. */
  column(name: Column): Float64Array {
    return this.#columns[name];
  }

  /** The answers to one kind of request, by row, to be read and filled in. A pool's are forgotten with its next report. */
  answers(key: string): Uint8Array {
    const known = this.#answers.get(key);
    if (known === undefined && this.#answers.size >= MAX_REMEMBERED) {
      const [oldest = ''] = this.#answers.keys();
      this.#answers.delete(oldest);
    }
    const answers = known ?? new Uint8Array(this.pools.length);
    this.#answers.delete(key); // so that it is set anew as the youngest
    this.#answers.set(key, answers);
    return answers;
  }

  /** To be called after a pool's figures changed; one that is not here is ignored. */
  measure(backendId: string): void {
    const row = this.#rows.get(backendId);
    if (row !== undefined) this.#measure(row);
  }

  /** To be called after a pool got another report or another service; as `measure`. */
  renew(backendId: string): void {
    const row = this.#rows.get(backendId);
    if (row === undefined) return;
    this.#measure(row);
    for (const answers of this.#answers.values()) answers[row] = UNKNOWN;
  }

  #measure(row: number): void {
    const pool = this.pools[row] as Pool; // row is in range
    const { thinRoom, thickRoom, thinFree, thickFree, allocated } = this.#columns;
    const [thin, thick] = [roomOf(pool, true), roomOf(pool, false)];
    [thinFree[row], thinRoom[row]] = [thin.freeGib, thin.roomGib];
    [thickFree[row], thickRoom[row]] = [thick.freeGib, thick.roomGib];
    allocated[row] = typeof pool.allocatedCapacityGb === 'number' ? pool.allocatedCapacityGb : NaN;
  }

  #takeOver(before: PoolTable): void {
    const former = Int32Array.from(this.pools, (pool) => before.#rowOf(pool));
    for (const name of COLUMNS) move(former, before.#columns[name], this.#columns[name]);
    for (const [key, answers] of before.#answers) {
      this.#answers.set(key, move(former, answers, new Uint8Array(former.length)));
    }
    for (let row = 0; row < former.length; row += 1) {
      if (former[row] === -1) this.#measure(row);
    }
  }

  /** -1: it is another pool that is called so, or none. */
  #rowOf(pool: Pool): number {
    const row = this.#rows.get(pool.backendId) ?? -1;
    return this.pools[row] === pool ? row : -1;
  }
}

const COLUMNS = ['thinRoom', 'thickRoom', 'thinFree', 'thickFree', 'allocated'] as const;

/** What stood at each row's former place; 0, which is UNKNOWN, for those that had none. */
function move<T extends Float64Array | Uint8Array>(former: Int32Array, from: T, to: T): T {
  for (let row = 0; row < former.length; row += 1) to[row] = from[former[row] as number] ?? 0;
  return to;
}
