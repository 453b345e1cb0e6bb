import type { DeleteVolumeOnVolume } from '../../casts/cast-messages.js';
import type { Claim } from '../../casts/claim.js';
import { Flow } from '../../flow/flow.js';
import type { Backend } from '../backend.js';
import { checkVolumeDeletable } from '../tasks/check-volume-deletable.js';
import { deleteVolumeFromBackend } from '../tasks/delete-volume-from-backend.js';
import { deleteVolumeOnFinish, type DeleteVolumeOnFinishParts } from '../tasks/delete-volume-on-finish.js';
import { extractVolumeRef } from '../tasks/extract-volume-ref.js';
import { notifyVolumeAction } from '../tasks/notify-volume-action.js';
import { releaseQuota, type ReleaseQuotaParts } from '../tasks/release-quota.js';

export type DeleteVolumeFlowParts = DeleteVolumeOnFinishParts & ReleaseQuotaParts;

/** What the flow is given. */
export interface DeleteVolumeInput {
  readonly claim: Claim;
  readonly backend: Backend;
  readonly cast: DeleteVolumeOnVolume;
}

/**
 * Destroys a volume. Every step may be repeated and none can be taken back: a failure is left to FAIL, which the casts'
 * engine applies. Rule: cinder/volume/manager.py, `delete_volume`.
 */
export const deleteVolumeFlow = (parts: DeleteVolumeFlowParts) =>
  Flow.named<DeleteVolumeInput>('volume_delete_manager')
    //                                                gives
    .step(extractVolumeRef(parts)) //                   refreshed, place
    .step(checkVolumeDeletable()) //                    -
    .step(notifyVolumeAction(parts, 'delete.start')) // -
    .step(deleteVolumeFromBackend()) //                 -
    .step(deleteVolumeOnFinish(parts)) //               release
    .step(releaseQuota(parts)); //                      -
