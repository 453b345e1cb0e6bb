import type { Volume, WatchVolumesResponse } from '../gen/cinder/api/v3/volumes.js';
import { CinderError, isCinderError } from './cinder-error.js';
import type { CinderClient } from './connect.js';
import { OPENED, openedAndChanges } from './watch-volumes.js';

/** How to wait. */
export interface WaitOptions {
  /** @default 300000 */
  readonly timeoutMs?: number | undefined;
  /** Gives up with a CinderError `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** Told every change before the last: statuses, and the progress of long work. */
  readonly onChange?: ((change: WatchVolumesResponse) => void) | undefined;
}

const TIMEOUT_MS = 300_000;

/**
 * Waits until `isDone` of a volume, and answers it as it is then; `undefined` is a volume that does not exist (any more). Looks
 * once when the watch has begun, so that nothing falls between the two, and then only listens. Throws CinderError
 * `DEADLINE_EXCEEDED` with the last status when it takes too long.
 */
export async function waitForVolume(
  client: Pick<CinderClient, 'volumes'>,
  volumeId: string,
  isDone: (volume: Volume | undefined) => boolean,
  { timeoutMs = TIMEOUT_MS, signal, onChange }: WaitOptions = {},
): Promise<Volume | undefined> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  let last: Volume | undefined;
  let hasLooked = false;
  try {
    for await (const change of openedAndChanges(client, {
      volumeIds: [volumeId],
      signal: either,
      patienceMs: Infinity,
    })) {
      if (change === OPENED) {
        if (hasLooked) continue;
        last = await find(client, volumeId, either);
        hasLooked = true;
        if (isDone(last)) return last;
      } else {
        last = change.volume;
        if (isDone(last)) return last;
        onChange?.(change);
      }
    }
    throw new Error('a watch ends by an error only');
  } catch (error) {
    if (!timeout.aborted || !isCinderError(error)) throw error;
    const status = last ? `it is ${last.status}` : 'it could not be looked at';
    throw new CinderError(
      ...(['DEADLINE_EXCEEDED', `Volume ${volumeId} was waited for in vain for ${timeoutMs} ms; ${status}.`] as const),
      { reason: '', requestId: error.requestId },
      { cause: error },
    );
  }
}

async function find(
  { volumes }: Pick<CinderClient, 'volumes'>,
  volumeId: string,
  signal: AbortSignal,
): Promise<Volume | undefined> {
  try {
    return (await volumes.getVolume({ volumeId }, { signal })).volume;
  } catch (error) {
    if (isCinderError(error, 'VOLUME_NOT_FOUND')) return undefined;
    throw error;
  }
}
