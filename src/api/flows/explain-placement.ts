import { Flow } from '../../flow/flow.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { CreateVolume } from '../requests.js';
import { extractVolumeRequest, type ExtractVolumeRequestParts } from '../tasks/extract-volume-request.js';

/** What the flow is asked. */
export interface ExplainPlacementInput {
  readonly context: RequestContext;
  readonly request: CreateVolume;
}

/** The beginning of volume_create_api: what it finds out before it takes anything. */
export const explainPlacementFlow = (parts: ExtractVolumeRequestParts) =>
  Flow.named<ExplainPlacementInput>('placement_explain_api')
    //                                   gives   when a later step fails
    .step(extractVolumeRequest(parts)); // spec    (last)
