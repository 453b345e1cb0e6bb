import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import { connectRedis } from '#src/redis/connect.js';
import { startPrivateServer } from '#src/redis/private-server.js';
import { deadlineIn } from '#src/time/deadline.js';
import { connect, eventually, REDIS_SERVER, redisServerFor, SILENT } from '../support/redis.js';
import { folderFor } from '../support/folder.js';

test('a private server is reached by its own user through a socket only, is durable and does not evict', async (t) => {
  const server = await redisServerFor(t);
  const { client } = await connect(t, server.socket);
  t.is((await stat(server.socket)).mode & 0o777, 0o700);
  const settings = async (name: string) => (await client.config('GET', name))[1];
  t.is(await settings('port'), '0');
  t.is(await settings('appendonly'), 'yes');
  t.is(await settings('appendfsync'), 'everysec');
  t.is(await settings('maxmemory-policy'), 'noeviction');
});

test('a folder with a long path still gets a socket that can be connected to', async (t) => {
  const dir = join(await folderFor(t), 'd'.repeat(120));
  const server = await startPrivateServer({ dir, command: REDIS_SERVER, log: SILENT });
  t.true(server.socket.length <= 107);
  const redis = await connectRedis({ url: server.socket, log: SILENT });
  await redis.close();
  await server.stop();
  await t.throwsAsync(stat(dirname(server.socket)), { code: 'ENOENT' });
});

test('what was written is there after a stop and a start', async (t) => {
  const dir = await folderFor(t);
  const first = await startPrivateServer({ dir, command: REDIS_SERVER, log: SILENT });
  const redis = await connectRedis({ url: first.socket, log: SILENT });
  await redis.client.set('kept', 'yes');
  await redis.close();
  await first.stop();
  await first.stop();

  const second = await startPrivateServer({ dir, command: REDIS_SERVER, log: SILENT });
  t.teardown(() => second.stop());
  t.is(await (await connect(t, second.socket)).client.get('kept'), 'yes');
});

test('a server that dies alone is started again in the same folder', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  await redis.client.set('kept', 'yes');
  const { token } = await redis.incarnation('', deadlineIn(1_000));
  process.kill(await pidOf(redis.client), 'SIGTERM');
  await eventually(
    'another incarnation answers',
    async () => (await redis.incarnation('', deadlineIn(10_000))).token !== token,
  );
  t.is(await redis.client.get('kept'), 'yes');
});

test('a server dies with a parent that is killed, and the next one waits for it', async (t) => {
  const dir = await folderFor(t);
  const parent = spawn(process.execPath, ['--input-type=module', '-e', PARENT, dir, REDIS_SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: process.cwd(),
  });
  t.teardown(() => void parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  t.true(isAlive(pid));

  parent.kill('SIGKILL');
  const next = await startPrivateServer({ dir, command: REDIS_SERVER, log: SILENT });
  t.teardown(() => next.stop());
  await eventually('the orphan is gone', () => !isAlive(pid));
  const { client } = await connect(t, next.socket);
  t.not(await pidOf(client), pid);
});

test('a program that is no Redis is reported with what it said', async (t) => {
  const dir = await folderFor(t);
  const command = join(dir, 'not-redis');
  await mkdir(join(dir, 'data'));
  await writeFile(command, '#!/bin/sh\necho "no such library" >&2\nexit 3\n', { mode: 0o755 });
  const start = startPrivateServer({ dir: join(dir, 'data'), command, log: SILENT });
  await t.throwsAsync(start, { message: /not-redis did not start in .*no such library/s });
});

test('a missing program is reported', async (t) => {
  const start = startPrivateServer({ dir: await folderFor(t), command: '/nowhere/redis-server', log: SILENT });
  await t.throwsAsync(start, { message: /There is no \/nowhere\/redis-server .*CINDER_REDIS_URL/ });
});

/** Starts a private server, prints its process id and stays until it is killed. */
const PARENT = `
  import { connectRedis } from '#src/redis/connect.js';
  import { startPrivateServer } from '#src/redis/private-server.js';
  const [dir, command] = process.argv.slice(1);
  const log = { info() {}, warn() {}, error() {} };
  const server = await startPrivateServer({ dir, command, log });
  const redis = await connectRedis({ url: server.socket, log });
  console.log(/process_id:(\\d+)/.exec(await redis.client.info('server'))[1]);
`;

async function pidOf(client: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
