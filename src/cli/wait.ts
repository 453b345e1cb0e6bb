import type { Volume } from '../gen/cinder/api/v3/volumes.js';
import { Interrupted, type Api } from './api.js';
import { CommandError } from './parts.js';
import { statusWord } from './volume-status.js';

/** What to wait for, in words for those who wait. */
export interface Wait {
  readonly volumeId: string;
  /** `undefined`: the volume is gone. */
  readonly isDone: (volume: Volume | undefined) => boolean;
  readonly timeoutMs: number;
  /** What the volume is doing, e.g. `being created`: it goes on when the waiting ends. */
  readonly doing: string;
  /** Its status when the waiting begins, in Cinder's word. */
  readonly status: string;
}

/**
 * Waits until `isDone`, showing each change on the way, and answers the volume as it is then. Throws CommandError at the
 * timeout, Interrupted after Ctrl-C: the work goes on, and both say so.
 */
export async function waitFor(api: Api, wait: Wait): Promise<Volume | undefined> {
  const { volumeId, isDone, timeoutMs, doing } = wait;
  const { waitForVolume, isCinderError } = await import('../client/index.js');
  let status = wait.status;
  const tell = (progressPercent?: number): void =>
    api.progress.say(`${volumeId}: ${status}${progressPercent === undefined ? '' : `, ${progressPercent} %`}`);
  const goesOn = `Volume ${volumeId} goes on ${doing}; \`cinder-grpc volume show ${volumeId}\` shows how far it is.`;
  tell();
  try {
    return await waitForVolume(api.client, volumeId, isDone, {
      timeoutMs,
      signal: api.call.signal,
      onChange: ({ volume, progressPercent }) => {
        if (volume !== undefined) status = statusWord(volume.status);
        tell(progressPercent);
      },
    });
  } catch (error) {
    if (api.call.signal.aborted) throw new Interrupted(`Interrupted. ${goesOn}`, { cause: error });
    if (!isCinderError(error) || error.code !== 'DEADLINE_EXCEEDED') throw error;
    throw new CommandError(`Still ${status} after ${Math.round(timeoutMs / 1_000)} s. ${goesOn}`, 1, { cause: error });
  } finally {
    api.progress.end();
  }
}
