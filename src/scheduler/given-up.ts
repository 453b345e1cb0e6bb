import { placeOfRoom } from '../casts/volume-work-messages.js';
import type { CastMessage, ReadyWorker } from '../db/worker-row.js';
import type { Claims } from './claims.js';

/**
 * Ends the claim on room for work that no volume service will do, after it was handed over. Never rejects; where nobody
 * calls it, the claim ends by its deadline.
 */
export async function releaseGivenUp(
  claims: Pick<Claims, 'release'>,
  { resourceId, epoch, message }: Pick<ReadyWorker, 'resourceId' | 'epoch' | 'message'>,
): Promise<void> {
  const place = readable(message);
  // the hand-over gave the row the next epoch
  if (place !== undefined) await claims.release({ volumeId: resourceId, epoch: epoch - 1 }, place);
}

function readable(message: CastMessage): string | undefined {
  try {
    return placeOfRoom(message);
  } catch {
    return undefined; // whoever wrote it has claimed nothing that we could know of
  }
}
