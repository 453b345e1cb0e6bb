import type { Claim } from '../../casts/claim.js';
import type { CreateVolumeOnScheduler } from '../../casts/cast-messages.js';
import { Flow } from '../../flow/flow.js';
import { extractSchedulerSpec } from '../tasks/extract-scheduler-spec.js';
import { scheduleCreateVolume, type ScheduleCreateVolumeParts } from '../tasks/schedule-create-volume.js';

/** What the flow is asked. */
export interface CreateVolumeInput {
  readonly claim: Claim;
  readonly cast: CreateVolumeOnScheduler;
}

/** Chooses a pool for a volume and hands it over. Rule: cinder/scheduler/flows/create_volume.py. */
export const createVolumeFlow = (parts: ScheduleCreateVolumeParts) =>
  Flow.named<CreateVolumeInput>('volume_create_scheduler')
    //                                  gives   when a later step fails
    .step(extractSchedulerSpec()) //      spec    -
    .step(scheduleCreateVolume(parts)); //-       (last)
