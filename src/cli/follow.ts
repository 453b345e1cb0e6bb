import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

import { status, type ServiceError } from '@grpc/grpc-js';

import type { Volume, WatchVolumesResponse } from '../gen/cinder/api/v3/volumes.js';
import { isNotFound, type VolumesApi } from './volumes-api.js';

const PAUSE_MS = 200;

/** What to wait for. */
export interface Follow {
  readonly volumeId: string;
  /** `undefined`: the volume is gone. */
  readonly isDone: (volume: Volume | undefined) => boolean;
  /** Told every change that is not the last. */
  readonly onChange: (change: WatchVolumesResponse) => void;
  /** In ms from now. */
  readonly timeoutMs: number;
}

/**
 * Follows a volume through WatchVolumes until `isDone`, and answers it as it is then. Looks once after the watch has begun,
 * so that nothing falls between the two, and goes on from its last token when the stream breaks. Throws the ServiceError
 * DEADLINE_EXCEEDED when it takes too long.
 */
export async function follow(
  api: VolumesApi,
  { volumeId, isDone, onChange, timeoutMs }: Follow,
): Promise<Volume | undefined> {
  const deadline = Date.now() + timeoutMs;
  let resumeToken = '';
  for (;;) {
    const stream = api.watch(volumeId, resumeToken, deadline);
    // an error while we look at the volume must not end the process; the loop meets it again as the stream's end
    stream.on('error', () => undefined);
    try {
      await once(stream, 'metadata');
      if (resumeToken === '') {
        const now = await find(api, volumeId);
        if (isDone(now)) return now;
      }
      for await (const change of stream as AsyncIterable<WatchVolumesResponse>) {
        resumeToken = change.resumeToken;
        if (isDone(change.volume)) return change.volume;
        onChange(change);
      }
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error;
    } finally {
      stream.cancel();
    }
    await pause(PAUSE_MS);
  }
}

async function find(api: VolumesApi, volumeId: string): Promise<Volume | undefined> {
  try {
    return await api.get(volumeId);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** A server that restarts, or that found us too slow. The deadline bounds how often: it is a code of its own. */
function isWorthAnotherTry(error: unknown): boolean {
  const { code } = error as Partial<ServiceError>;
  return code === status.UNAVAILABLE || code === status.RESOURCE_EXHAUSTED;
}
