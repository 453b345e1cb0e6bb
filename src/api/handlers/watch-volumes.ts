import type { EventCursor } from '../../db/events.js';
import { cursorFromText, cursorToText } from '../../events/cursor.js';
import type { Tokens } from '../../events/tokens.js';
import type { VolumeChange, VolumeEvents } from '../../events/watch.js';
import type { VolumesService, WatchVolumesResponse } from '../../gen/cinder/api/v3/volumes.js';
import { RESUME_TOKEN } from '../../rpc/headers.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { projectOf } from '../project-scope.js';
import { Violations } from '../validation.js';
import { volumeView } from '../views/volume-view.js';

const MAX_VOLUME_IDS = 1_000;

export interface WatchVolumesParts {
  readonly events: VolumeEvents;
  readonly tokens: Tokens;
}

/** `Volumes/WatchVolumes`: every change, from now on or from a token on. Throws InvalidInput, WatchTooSlow, ServiceStopping. */
export function watchVolumes(parts: WatchVolumesParts): PublicHandler<typeof VolumesService.watchVolumes> {
  return async ({ resumeToken, volumeIds }, { context, signal }) => {
    const projectId = projectOf(context);
    const purpose = `watch:${projectId}`;
    const bad = new Violations();
    if (volumeIds.length > MAX_VOLUME_IDS) bad.add('volume_ids', `must name at most ${MAX_VOLUME_IDS} volumes`);
    volumeIds.slice(0, MAX_VOLUME_IDS).forEach((id, index) => bad.uuid(`volume_ids[${index}]`, id));
    const after = resumeToken === '' ? undefined : cursorFromText(parts.tokens.open(purpose, resumeToken) ?? '');
    if (resumeToken !== '' && !after) bad.add('resume_token', 'is not a resume_token of this project');
    bad.check();
    const watch = await parts.events.subscribe({ projectId, volumeIds, signal, ...(after && { after }) });
    const tokenOf = (cursor: EventCursor): string => parts.tokens.sign(purpose, cursorToText(cursor));
    return {
      headers: { [RESUME_TOKEN]: tokenOf(watch.start) },
      cutOff: watch.cutOff,
      [Symbol.asyncIterator]: () => messages(watch, tokenOf),
    };
  };
}

async function* messages(
  changes: AsyncIterable<VolumeChange>,
  tokenOf: (cursor: EventCursor) => string,
): AsyncGenerator<WatchVolumesResponse> {
  for await (const change of changes) {
    yield {
      volume: volumeView(change.volume),
      resumeToken: tokenOf(change.cursor),
      progressPercent: change.progressPercent,
    };
  }
}
