import type { PlacementRequest } from '../placement-request.js';
import type { Pool } from '../pool-state.js';

/** One question to a pool. Pure: nothing but the arguments decides, and nothing changes. */
export interface Filter {
  /** Cinder's class name, as in the option `scheduler_default_filters`. */
  readonly name: string;
  /** Whether the pool will do. Throws PythonError where Cinder's filter fails the request. */
  readonly passes: (pool: Pool, request: PlacementRequest) => boolean;
  /** Why the pool will not do, for operators; asked only after `passes` said no. */
  readonly reason: (pool: Pool, request: PlacementRequest) => string;
  /** What the rejected pools lack, for the owner of the volume: names no pool. */
  readonly complaint: string;
}
