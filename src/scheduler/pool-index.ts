import type { BackendState } from './backend-state.js';
import type { PoolState } from './pool-state.js';
import { PoolTable } from './pool-table.js';

/** The pools of some backends in their order, to be found by name, with the table of them. Made anew when one comes or goes. */
export class PoolIndex {
  readonly pools: readonly PoolState[];
  readonly table: PoolTable;
  readonly #backends: readonly BackendState[];

  /** What `before` knows of the same pools is taken over. */
  constructor(backends: Iterable<BackendState>, before?: PoolIndex) {
    const found = [...backends].flatMap((backend) => [...backend.pools.values()].map((pool) => ({ pool, backend })));
    this.pools = found.map(({ pool }) => pool);
    this.#backends = found.map(({ backend }) => backend);
    this.table = new PoolTable(this.pools, before?.table);
  }

  /** A pool by `backendId`, and its backend. */
  at(backendId: string): { readonly pool: PoolState; readonly backend: BackendState } | undefined {
    const row = this.table.rowOf(backendId) ?? -1;
    const [pool, backend] = [this.pools[row], this.#backends[row]];
    return pool && backend && { pool, backend };
  }
}
