import type { CreateVolumeOnVolume } from '../../casts/cast-messages.js';
import type { Claim } from '../../casts/claim.js';
import { Flow } from '../../flow/flow.js';
import type { Backend } from '../backend.js';
import { createVolumeFromSpec, type CreateVolumeFromSpecParts } from '../tasks/create-volume-from-spec.js';
import { createVolumeOnFinish, type CreateVolumeOnFinishParts } from '../tasks/create-volume-on-finish.js';
import { extractVolumeRef } from '../tasks/extract-volume-ref.js';
import { extractVolumeSpec } from '../tasks/extract-volume-spec.js';
import { notifyVolumeAction } from '../tasks/notify-volume-action.js';
import { onFailureReschedule, type OnFailureRescheduleParts } from '../tasks/on-failure-reschedule.js';

export type CreateVolumeFlowParts = OnFailureRescheduleParts & CreateVolumeFromSpecParts & CreateVolumeOnFinishParts;

/** What the flow is given. */
export interface CreateVolumeInput {
  readonly claim: Claim;
  readonly backend: Backend;
  readonly cast: CreateVolumeOnVolume;
}

/** Makes a volume on its backend. Rule: cinder/volume/flows/manager/create_volume.py, `get_flow`. */
export const createVolumeFlow = (parts: CreateVolumeFlowParts) =>
  Flow.named<CreateVolumeInput>('volume_create_manager')
    //                                                gives              when a later step fails
    .step(extractVolumeRef(parts)) //                   refreshed, place   -
    .step(onFailureReschedule(parts)) //                -                  back to the scheduler, or left to FAIL
    .step(extractVolumeSpec(parts)) //                  spec               -
    .step(notifyVolumeAction(parts, 'create.start')) // -                  -
    .step(createVolumeFromSpec(parts)) //               -                  -
    .step(createVolumeOnFinish(parts)); //              -                  (last)
