import { Fault } from '../../errors/fault.js';
import {
  type ExplainedPool,
  type ExplainPlacementResponse,
  PlacementOutcome,
  type SchedulerManagerService,
} from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { filterPropertiesFromWire, requestSpecFromWire } from '../../rpc/objects-on-the-wire.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import type { FilterScheduler } from '../filter-scheduler.js';
import { isOnResourceBackend, placementRequest, type PlacementRequest } from '../placement-request.js';
import { describeToOperator, type Refusal } from '../refusal.js';
import type { LookUp } from '../surroundings.js';

export interface ExplainPlacementParts {
  readonly scheduler: Pick<FilterScheduler, 'explain'>;
  readonly lookUp: LookUp;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** What keeps a pool from a volume that is bound elsewhere is no filter of Cinder's. */
const RESOURCE_BACKEND = 'resource_backend';

/** Decides without taking anything, and says why. Throws InvalidInput, UnusableCapability, DatabaseUnavailable. */
export function explainPlacement(
  parts: ExplainPlacementParts,
): InternalHandler<typeof SchedulerManagerService.explainPlacement> {
  return async ({ requestSpec, filterProperties, limit }, { context, signal }) => {
    if (!requestSpec) {
      const violation = { field: 'request_spec', description: 'is required' };
      throw new Fault('InvalidInput', { violations: [violation], omitted: 0 });
    }
    const properties = filterProperties ? filterPropertiesFromWire(filterProperties) : { schedulerHints: new Map() };
    const surroundings = await parts.lookUp(context, properties, signal);
    const request = placementRequest(requestSpecFromWire(requestSpec), properties, surroundings);
    return explained(parts.scheduler, request, limit > 0 ? Math.min(limit, MAX_LIMIT) : DEFAULT_LIMIT);
  };
}

function explained(
  scheduler: ExplainPlacementParts['scheduler'],
  request: PlacementRequest,
  limit: number,
): ExplainPlacementResponse {
  const explanation = scheduler.explain(request, limit);
  const { tallies, candidates, refusal } = explanation;
  const opinions = explanation.opinions();
  const [wouldDo, elsewhere]: [ExplainedPool[], ExplainedPool[]] = [[], []];
  let placeableCount = 0;
  candidates.forEach(({ pool, weight }, index) => {
    const { backendId: name } = pool;
    if (!isOnResourceBackend(pool, request.resourceBackend)) {
      const reason = `is not on ${request.resourceBackend ?? ''}`;
      if (elsewhere.length < limit) elsewhere.push(rejected(name, RESOURCE_BACKEND, reason));
      return;
    }
    placeableCount += 1;
    if (placeableCount > limit) return;
    const weights = opinions.map(({ weigher, multiplier, raw, normalised }) => ({
      ...{ weigher, multiplier, raw: raw[index] ?? 0, normalised: normalised[index] ?? 0 },
    }));
    wouldDo.push({ name, rank: placeableCount, weight, weights });
  });
  const filtered = tallies.flatMap(({ filter, examples }) =>
    examples.map(({ pool, reason }) => rejected(pool, filter, reason)),
  );
  const [best] = wouldDo;
  return {
    outcome: best ? PlacementOutcome.PLACEABLE : lackOf(refusal),
    summary: best
      ? `${placeableCount} of ${refusal.poolCount} pools would do; ${best.name} is the best.`
      : describeToOperator(refusal),
    poolCount: refusal.poolCount,
    silentBackends: [...refusal.silentBackends],
    filters: tallies.map(({ filter, poolCount, rejectedCount }) => ({ filter, poolCount, rejectedCount })),
    pools: [...wouldDo, ...elsewhere, ...filtered],
  };
}

function rejected(name: string, rejectedBy: string, reason: string): ExplainedPool {
  return { name, weights: [], rejectedBy, reason };
}

function lackOf({ poolCount, silentBackends }: Refusal): PlacementOutcome {
  if (poolCount > 0) return PlacementOutcome.REJECTED;
  return silentBackends.length > 0 ? PlacementOutcome.NO_REPORTS : PlacementOutcome.NO_BACKENDS;
}
