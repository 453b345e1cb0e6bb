import type { FlowListener } from '../../flow/listeners.js';
import type { PoolsService } from '../../gen/cinder/api/v3/pools.js';
import type {
  ExplainPlacementRequest,
  ExplainPlacementResponse,
} from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { runFor } from '../../flow/run-for.js';
import type { RequestContext } from '../../objects/request-context.js';
import { filterPropertiesToWire, requestSpecToWire } from '../../rpc/objects-on-the-wire.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import type { SendOptions } from '../../rpc/versioned-client.js';
import { explainPlacementFlow } from '../flows/explain-placement.js';
import { projectOf } from '../project-scope.js';
import { readCreateVolume } from '../read-create-volume.js';
import { requestSpecFor } from '../tasks/entry-create.js';
import type { ExtractVolumeRequestParts } from '../tasks/extract-volume-request.js';
import { invalid, Violations } from '../validation.js';

/** The part of the scheduler's client that is used here. */
export interface ExplainingScheduler {
  explainPlacement(
    context: RequestContext,
    request: ExplainPlacementRequest,
    options: SendOptions,
  ): Promise<ExplainPlacementResponse>;
}

export interface ExplainPlacementParts extends ExtractVolumeRequestParts {
  readonly scheduler: ExplainingScheduler;
  readonly listeners: readonly FlowListener[];
}

const MAX_LIMIT = 1_000;

/**
 * `Pools/ExplainPlacement`: how one scheduler would place the volume. Throws what CreateVolume throws before it takes quota;
 * ServiceUnavailable.
 */
export function explainPlacement(parts: ExplainPlacementParts): PublicHandler<typeof PoolsService.explainPlacement> {
  const flow = explainPlacementFlow(parts);

  return async ({ volume, limit }, { context, deadline, signal }) => {
    projectOf(context);
    if (!volume) throw invalid('volume', 'is required');
    const bad = new Violations();
    if (limit < 0 || limit > MAX_LIMIT) bad.add('limit', `must be 0 to ${MAX_LIMIT}`);
    bad.check();
    const request = readCreateVolume(volume);
    const { spec } = await flow.run({ context, request }, { ...runFor(context), signal, listeners: parts.listeners });
    return parts.scheduler.explainPlacement(
      context,
      {
        requestSpec: requestSpecToWire({ ...requestSpecFor(context, request, spec), operation: 'create_volume' }),
        filterProperties: filterPropertiesToWire({ schedulerHints: request.schedulerHints }),
        limit,
      },
      { deadline, signal },
    );
  };
}
