import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { LogFields } from '#src/log/fields.js';
import type { Log } from '#src/log/log.js';
import { connectRedis } from '#src/redis/connect.js';
import { type PrivateServer, type PrivateServerOptions, startPrivateServer } from '#src/redis/private-server.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { REDIS_SERVER } from './redis-program.js';
import { folderFor, removeFolder } from './folder.js';

export { eventually, freePort, REDIS_SERVER };

/** A connection of this test's own to the server that the tests of this file share. Projects keep tests apart. */
export async function redisFor(t: ExecutionContext): Promise<ServerConnection> {
  shared ??= startShared();
  return connect(t, (await shared).server.socket);
}

/** A server of this test's own, to be emptied, killed and started again. */
export async function redisServerFor(
  t: ExecutionContext,
  options: Partial<PrivateServerOptions> = {},
): Promise<PrivateServer> {
  const dir = await folderFor(t);
  const server = await startPrivateServer({ dir, command: REDIS_SERVER, log: SILENT, ...options });
  t.teardown(() => server.stop());
  return server;
}

/** The address of a server of this test's own that outlives the processes under test. */
export async function redisUrlFor(t: ExecutionContext): Promise<string> {
  const port = await freePort();
  await redisServerFor(t, { settings: ['--bind', '127.0.0.1', '--port', String(port)] });
  return `redis://127.0.0.1:${port}`;
}

/** A connection that is closed with the test. */
export async function connect(t: ExecutionContext, url: string): Promise<ServerConnection> {
  const redis = await connectRedis({ url, log: SILENT });
  t.teardown(() => redis.close());
  return redis;
}

/** An own key space: all keys of a project carry its id. */
export const newProject = (): string => `project-${randomUUID()}`;

/** Says nothing. */
export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Keeps what is said, by level. */
export function recordingLog(): Log & {
  readonly lines: { level: string; message: string; fields: LogFields | undefined }[];
} {
  const lines: { level: string; message: string; fields: LogFields | undefined }[] = [];
  const at = (level: string) => (message: string, fields?: LogFields) => void lines.push({ level, message, fields });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

let shared: Promise<{ server: PrivateServer; dir: string }> | undefined;

async function startShared() {
  const dir = await mkdtemp(join(tmpdir(), 'cinder-redis-test-'));
  return { dir, server: await startPrivateServer({ dir, command: REDIS_SERVER, log: SILENT }) };
}

test.after.always('the shared Redis is stopped', async () => {
  if (!shared) return;
  const { server, dir } = await shared;
  await server.stop();
  await removeFolder(dir);
});
