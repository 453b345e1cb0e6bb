import { applyFenced, type Claim, giveBack } from '../../casts/claim.js';
import { type CreateVolumeOnScheduler, readCreateVolumeOnScheduler } from '../../casts/cast-messages.js';
import { failVolume } from '../../casts/fail-volume.js';
import { GIVE_UP_AFTER_MS } from '../../casts/give-up.js';
import { type CastHandler, type GivenBack, NotBegun } from '../../casts/handler.js';
import { reasonForOwner } from '../../casts/reason-for-owner.js';
import type { FaultName } from '../../errors/catalogue.js';
import { Fault } from '../../errors/fault.js';
import type { FlowListener } from '../../flow/listeners.js';
import { runFor } from '../../flow/run-for.js';
import { detailByName } from '../../objects/user-message.js';
import { createVolumeFlow } from '../flows/create-volume.js';
import type { Readiness } from '../readiness.js';
import { REST_MS, type ScheduleCreateVolumeParts } from '../tasks/schedule-create-volume.js';

export interface CreateVolumeParts extends ScheduleCreateVolumeParts {
  readonly readiness: Readiness;
  /** Whether any volume service is up, enabled or not. */
  readonly anyVolumeService: () => boolean;
  /** Age at which a volume that no service could take is given up, ms. @default 24 h */
  readonly giveUpAfterMs?: number;
  readonly listeners: readonly FlowListener[];
}

/** Faults whose words are for owners. */
const FOR_OWNERS: ReadonlySet<FaultName> = new Set(['NoValidBackend', 'InvalidInput']);

/** Places volumes. Rule: cinder/scheduler/manager.py, `create_volume`. */
export function createVolume(parts: CreateVolumeParts): CastHandler<CreateVolumeOnScheduler> {
  const flow = createVolumeFlow(parts);
  return {
    decode: readCreateVolumeOnScheduler,

    async run(claim, cast, signal) {
      if (!(await parts.readiness.wait(signal))) throw new NotBegun();
      if (!parts.anyVolumeService()) return rest(parts, claim);
      const { isGivenBack } = await flow.run(
        { claim, cast },
        { signal, listeners: parts.listeners, ...runFor(claim.context, claim.resourceId) },
      );
      return isGivenBack ? 'given_back' : undefined;
    },

    fail: (claim, error) =>
      failVolume(parts, claim, {
        work: 'create',
        reason: reasonForOwner(claim.context, error, FOR_OWNERS),
        action: 'SCHEDULE_ALLOCATE_VOLUME',
        detail: detailByName(error) ?? 'UNKNOWN_ERROR',
        schedulerMethod: 'create_volume',
      }),
  };
}

/** Nobody could do the work now: that is no failure of the request, until it has become too old. */
async function rest(parts: CreateVolumeParts, claim: Claim): Promise<GivenBack> {
  if (claim.ageMs > (parts.giveUpAfterMs ?? GIVE_UP_AFTER_MS)) {
    throw new Fault('NoValidBackend', { reason: 'No storage service has been up for too long.' });
  }
  await applyFenced(parts.store, claim, [giveBack(claim, REST_MS)]);
  return 'given_back';
}
