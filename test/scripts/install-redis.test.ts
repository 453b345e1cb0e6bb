import { execFile } from 'node:child_process';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import test, { type ExecutionContext } from 'ava';

import { presentRedisServer, redisServer } from '#scripts/install-redis.mjs';
import { findProgram } from '#scripts/run.mjs';
import { folderFor } from '../support/folder.js';

const hasApt = ['apt-get', 'dpkg-deb'].every((tool) => findProgram(tool, process.env['PATH']) !== undefined);

/** A machine without redis-server: a PATH of only these programs, and a cache that is empty. */
async function bareMachineFor(t: ExecutionContext, programs: readonly string[]): Promise<NodeJS.ProcessEnv> {
  const folder = await folderFor(t);
  const path = join(folder, 'bin');
  await mkdir(path);
  for (const program of programs) await symlink(program, join(path, basename(program)));
  return { PATH: path, XDG_CACHE_HOME: join(folder, 'cache') };
}

/** Every program of this machine but Redis's. Which of them apt needs differs from machine to machine. */
async function allButRedis(): Promise<readonly string[]> {
  const found = new Map<string, string>();
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (!name.startsWith('redis-') && !found.has(name)) found.set(name, join(folder, name));
    }
  }
  return [...found.values()];
}

(hasApt ? test : test.skip)(
  "without a redis-server, the distribution's packages are unpacked below the cache, once",
  async (t) => {
    const env = await bareMachineFor(t, await allButRedis());
    const said: string[] = [];
    const options = { env, say: (line: string) => said.push(line) };

    const [server, again] = await Promise.all([redisServer(options), redisServer(options)]);

    t.is(again, server);
    t.true(server.startsWith(env['XDG_CACHE_HOME'] ?? 'none'));
    const { stdout } = await promisify(execFile)(server, ['--version'], { env: {} });
    t.regex(stdout, /^Redis server v=\d/);
    t.deepEqual((await readdir(join(env['XDG_CACHE_HOME'] ?? '', 'cinder-grpc'))).toSorted(), ['bin', 'redis']);

    const saidOnce = said.length;
    t.is(await redisServer(options), server);
    t.is(said.length, saidOnce);
  },
);

test('a machine that has no redis-server and no apt is told what to do', async (t) => {
  const env = await bareMachineFor(t, ['/bin/sh']);

  await t.throwsAsync(redisServer({ env, say: () => undefined }), {
    message: /none could be brought\. Install one .* or set CINDER_REDIS_URL/,
  });
});

test('a configured server comes before one of the PATH, and nothing is fetched for either', async (t) => {
  const env = await bareMachineFor(t, ['/bin/sh']);
  const path = env['PATH'] ?? '';
  await writeFile(join(path, 'redis-server'), '', { mode: 0o755 });
  const say = (): void => t.fail('nothing is to be done');

  t.is(presentRedisServer(env), join(path, 'redis-server'));
  t.is(await redisServer({ env: { ...env, CINDER_REDIS_SERVER: '/opt/redis' }, say }), '/opt/redis');
});

test('a redis-server that cannot be run is not one', async (t) => {
  const env = await bareMachineFor(t, []);
  await writeFile(join(env['PATH'] ?? '', 'redis-server'), '', { mode: 0o644 });

  t.is(presentRedisServer(env), undefined);
});
