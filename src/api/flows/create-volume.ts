import { Flow } from '../../flow/flow.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { Deadline } from '../../time/deadline.js';
import type { CreateVolume } from '../requests.js';
import { entryCreate, type EntryCreateParts } from '../tasks/entry-create.js';
import { extractVolumeRequest, type ExtractVolumeRequestParts } from '../tasks/extract-volume-request.js';
import { quotaCommit, type QuotaCommitParts } from '../tasks/quota-commit.js';
import { quotaReserve, type QuotaReserveParts } from '../tasks/quota-reserve.js';
import { volumeCast, type VolumeCastParts } from '../tasks/volume-cast.js';

export type CreateVolumeFlowParts = ExtractVolumeRequestParts &
  QuotaReserveParts &
  EntryCreateParts &
  QuotaCommitParts &
  VolumeCastParts;

/** What the flow is asked. */
export interface CreateVolumeInput {
  readonly context: RequestContext;
  readonly request: CreateVolume;
  /** When the caller must have an answer. */
  readonly deadline: Deadline;
}

/** Accepts a volume and hands it to the scheduler. Rule: cinder/volume/flows/api/create_volume.py. */
export const createVolumeFlow = (parts: CreateVolumeFlowParts) =>
  Flow.named<CreateVolumeInput>('volume_create_api')
    //                                  gives          when a later step fails
    .step(extractVolumeRequest(parts)) // spec           -
    .step(quotaReserve(parts)) //         reservation    give the amounts back
    .step(entryCreate(parts)) //          entry          destroy the record
    .step(quotaCommit(parts)) //          -              disown the charge and take it back
    .step(volumeCast(parts)); //          -              (last)
