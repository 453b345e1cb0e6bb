import type { PlacementRequest } from '../placement-request.js';
import type { Pool } from '../pool-state.js';
import type { Column } from '../pool-table.js';

/** One question to a pool. Pure: nothing but the arguments decides, and nothing changes. */
export interface Filter {
  /** Cinder's class name, as in the option `scheduler_default_filters`. */
  readonly name: string;
  /** Whether the pool will do. Throws PythonError where Cinder's filter fails the request. */
  readonly passes: (pool: Pool, request: PlacementRequest) => boolean;
  /** How to know what `passes` says of many pools without asking each. @default each is asked */
  readonly shortcut?: (request: PlacementRequest) => Shortcut;
  /** Why the pool will not do, for operators; asked only after `passes` said no. */
  readonly reason: (pool: Pool, request: PlacementRequest) => string;
  /** What the rejected pools lack, for the owner of the volume: names no pool. */
  readonly complaint: string;
}

/** What `passes` would say, pool by pool. */
export type Shortcut =
  /** Each has to be asked. */
  | { readonly kind: 'none' }
  /** Yes, of all: the request does not ask. */
  | { readonly kind: 'all' }
  /** What it said before to a request of the same key, until the pool's next report: nothing else decides. */
  | { readonly kind: 'standing'; readonly key: string }
  /** Yes where the column has `least` or more, and of the pool called `exempt`. */
  | { readonly kind: 'least'; readonly column: Column; readonly least: number; readonly exempt: string | null };

/** No shortcut. */
export const ASK_EACH: Shortcut = { kind: 'none' };
/** Nothing is asked. */
export const ALL_PASS: Shortcut = { kind: 'all' };
