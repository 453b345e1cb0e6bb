import { once } from 'node:events';
import { constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { VolumesService as Volumes, type WatchVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { CONNECTION_LIMITS } from '#src/rpc/connection-guard.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import { milestone, unreadStream, volumesServer } from '../support/rpc.js';

const MAX_UNREAD_MS = 300;
const MESSAGE_BYTES = 20_000;

/** A server that has always more to say, and is told when nobody listens any more. */
async function talkative(t: ExecutionContext, left: () => void = () => undefined): Promise<ListeningServer> {
  return volumesServer(
    t,
    {
      watchVolumes: async () =>
        (async function* (): AsyncGenerator<WatchVolumesResponse> {
          try {
            for (;;) yield { volume: undefined, resumeToken: ' '.repeat(MESSAGE_BYTES) };
          } finally {
            left();
          }
        })(),
    },
    { connectionLimits: { ...CONNECTION_LIMITS, maxUnreadMs: MAX_UNREAD_MS } },
  );
}

test('a caller who reads nothing of an answer loses it, and what was at work for it ends', async (t) => {
  const { reached, reach } = milestone();
  const server = await talkative(t, reach);
  const stream = unreadStream(t, server, Volumes.watchVolumes.path, { settings: { initialWindowSize: 0 } });
  await once(stream, 'close');
  t.is(stream.rstCode, constants.NGHTTP2_CANCEL);
  await reached;
});

test('a caller who reads slowly is served', async (t) => {
  const stream = unreadStream(t, await talkative(t), Volumes.watchVolumes.path);
  let bytes = 0;
  const end = performance.now() + 6 * MAX_UNREAD_MS;
  while (performance.now() < end) {
    bytes += ((stream.read() as Buffer | null) ?? '').length;
    await delay(10);
  }
  t.true(bytes > 10 * MESSAGE_BYTES, `${bytes} bytes`);
  t.false(stream.closed);
});
