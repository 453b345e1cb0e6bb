import type { Claim } from '../../casts/claim.js';
import { type CreateVolumeOnScheduler, readCreateVolumeOnScheduler } from '../../casts/cast-messages.js';
import { failVolume } from '../../casts/fail-volume.js';
import type { CastHandler } from '../../casts/handler.js';
import { giveBackWorker } from '../../db/workers.js';
import type { FlowListener } from '../../flow/listeners.js';
import { createVolumeFlow } from '../flows/create-volume.js';
import type { Readiness } from '../readiness.js';
import type { ScheduleCreateVolumeParts } from '../tasks/schedule-create-volume.js';

/** How long work rests while there is no volume service; the first report of one ends the rest early. */
const REST_MS = 10_000;

export interface CreateVolumeParts extends ScheduleCreateVolumeParts {
  readonly readiness: Readiness;
  /** Whether any volume service is up, enabled or not. */
  readonly anyVolumeService: () => boolean;
  readonly listeners: readonly FlowListener[];
}

/** Places volumes. Rule: cinder/scheduler/manager.py, `create_volume`. */
export function createVolume(parts: CreateVolumeParts): CastHandler<CreateVolumeOnScheduler> {
  const flow = createVolumeFlow(parts);
  return {
    decode: readCreateVolumeOnScheduler,

    async run(claim, cast, signal) {
      await parts.readiness.wait(signal);
      if (!parts.anyVolumeService()) return rest(parts, claim);
      await flow.run({ claim, cast }, { signal, requestId: claim.context.requestId, listeners: parts.listeners });
    },

    fail: (claim, error) =>
      failVolume(claim, {
        work: 'create',
        reason: error instanceof Error ? error.message : String(error),
        action: 'SCHEDULE_ALLOCATE_VOLUME',
        detail: 'UNKNOWN_ERROR',
      }),
  };
}

/** Nobody could do the work now: that is no failure of the request. */
async function rest(parts: CreateVolumeParts, claim: Claim): Promise<void> {
  await parts.store.apply([giveBackWorker(claim, REST_MS)]);
}
