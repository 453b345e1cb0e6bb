import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openStore } from '#src/db/open-store.js';
import type { Store } from '#src/db/store.js';
import type { Log } from '#src/log/log.js';
import { connectRedis } from '#src/redis/connect.js';
import { startPrivateServer } from '#src/redis/private-server.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import type { Failure, Vector } from '../replay.js';
import { removeFolder } from '../../support/folder.js';

/** What quota works on: a Redis and a database of their own, for one case after the other. */
export interface Parts {
  readonly redis: ServerConnection;
  readonly store: Store;
}

/** Plays cases one by one; `play` answers what came out differently. Nothing is left behind. */
export async function eachOn<Case extends Vector>(
  cases: readonly Case[],
  play: (parts: Parts, one: Case) => Promise<readonly string[]>,
): Promise<readonly Failure[]> {
  return withParts(async (parts) => {
    const failures: Failure[] = [];
    for (const one of cases) {
      const why = await play(parts, one).catch((error: unknown) => [String(error instanceof Error && error.stack)]);
      if (why.length > 0) failures.push({ id: one.id, why: why.join('; ').slice(0, 1_000) });
    }
    return failures;
  });
}

/** What was expected and what came, unless they are the same. */
export function differing(expected: unknown, came: unknown): readonly string[] {
  if (isDeepStrictEqual(came, expected)) return [];
  return [`expected ${JSON.stringify(expected)}, came ${JSON.stringify(came)}`];
}

async function withParts<T>(use: (parts: Parts) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'cinder-replay-'));
  const undo: (() => Promise<unknown>)[] = [() => removeFolder(dir)];
  try {
    const command = process.env['CINDER_REDIS_SERVER'] ?? 'redis-server';
    const server = await startPrivateServer({ dir, command, log: SILENT });
    undo.unshift(() => server.stop());
    const redis = await connectRedis({ url: server.socket, log: SILENT });
    undo.unshift(() => redis.close());
    const store = await openStore(`sqlite:${join(dir, 'cinder.db')}`);
    undo.unshift(() => store.close());
    return await use({ redis, store });
  } finally {
    for (const step of undo) await step();
  }
}

/** Says nothing. */
export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
