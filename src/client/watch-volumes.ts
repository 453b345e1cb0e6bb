import { setTimeout as pause } from 'node:timers/promises';
import type { WatchVolumesResponse } from '../gen/cinder/api/v3/volumes.js';
import { RESUME_TOKEN } from '../rpc/headers.js';
import { isCinderError } from './cinder-error.js';
import type { CinderClient } from './connect.js';

/** What to watch. */
export interface WatchOptions {
  /** UUIDs, at most 1000. @default all volumes of the project */
  readonly volumeIds?: readonly string[] | undefined;
  /** Token of the last change that was seen. @default from now on */
  readonly resumeToken?: string | undefined;
  /** Ends the watch with a CinderError `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** How long the service may be away before the watch is given up, ms. @default 300000 */
  readonly patienceMs?: number | undefined;
}

const PATIENCE_MS = 300_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/**
 * Every change of volumes, each once, over restarts of the service and broken connections: a stream that breaks is begun
 * again after its last change. Ends with the loop that reads it. Throws CinderError when the service refuses the watch or
 * stays away.
 */
export async function* watchVolumes(
  client: Pick<CinderClient, 'volumes'>,
  options: WatchOptions = {},
): AsyncGenerator<WatchVolumesResponse, void, undefined> {
  for await (const change of openedAndChanges(client, options)) if (change !== OPENED) yield change;
}

/** Says that changes from now on will be told. */
export const OPENED = Symbol('opened');

/** As `watchVolumes`, with OPENED before the first change after each beginning. */
export async function* openedAndChanges(
  { volumes }: Pick<CinderClient, 'volumes'>,
  { volumeIds = [], resumeToken = '', signal, patienceMs = PATIENCE_MS }: WatchOptions,
): AsyncGenerator<typeof OPENED | WatchVolumesResponse, void, undefined> {
  let token = resumeToken;
  let lastHeardAt = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const stream = volumes.watchVolumes({ volumeIds, resumeToken: token }, { signal });
    try {
      const headers = await stream.opened;
      token ||= headers.get(RESUME_TOKEN) ?? '';
      pauseMs = FIRST_PAUSE_MS;
      lastHeardAt = performance.now();
      yield OPENED;
      for await (const change of stream) {
        token = change.resumeToken;
        lastHeardAt = performance.now();
        yield change;
      }
    } catch (error) {
      if (!canGoOn(error) || performance.now() - lastHeardAt > patienceMs) throw error;
    } finally {
      stream.cancel();
    }
    await pause(pauseMs, undefined, { signal }).catch(() => undefined); // the next call says that it was cancelled
  }
}

/** A service that restarts, or that found us too slow. */
function canGoOn(error: unknown): boolean {
  return isCinderError(error) && (error.code === 'UNAVAILABLE' || error.reason === 'WATCH_TOO_SLOW');
}
