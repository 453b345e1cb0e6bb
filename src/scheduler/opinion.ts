import type { PlacementRequest } from './placement-request.js';
import type { Pool } from './pool-state.js';
import { unusable } from './unusable.js';
import type { WeightHandler } from './weight-handlers/index.js';
import type { Weigher } from './weighers/index.js';

/** What one weigher thinks of the candidates of a request, in their order. */
export interface Opinion {
  /** Cinder's name. */
  readonly weigher: string;
  readonly multiplier: number;
  /** As the weigher says it. */
  readonly raw: Float64Array;
  /** As the weight handler adds it, before the multiplier. */
  readonly normalised: Float64Array;
}

/** Asks a weigher once more, apart from the others. Throws UnusableCapability. */
export function opinionOf(
  weigher: Weigher,
  handler: WeightHandler,
  candidates: readonly { readonly pool: Pool }[],
  request: PlacementRequest,
): Opinion {
  const { name, multiplier } = weigher;
  const raw = Float64Array.from(candidates, ({ pool }) => {
    try {
      return weigher.weigh(pool, request);
    } catch (error) {
      throw unusable(error, pool.backendId, name);
    }
  });
  weigher.settle?.(raw);
  const normalised = new Float64Array(raw.length);
  handler.add(raw.slice(), 1, normalised);
  return { weigher: name, multiplier, raw, normalised };
}
