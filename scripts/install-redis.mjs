// usage: node scripts/install-redis.mjs    brings a redis-server and prints its path

import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { cacheFolder } from './cache.mjs';
import { libraryPath, unpackPackages } from './debian.mjs';
import { findProgram, run } from './run.mjs';

/**
 * The program to run as private Redis: `CINDER_REDIS_SERVER`, else redis-server of the PATH, else the distribution's
 * packages unpacked below the cache folder, now if need be. Throws with advice when none can be had.
 * @param {{ env: NodeJS.ProcessEnv, say: (line: string) => void }} options
 * @returns {Promise<string>}
 */
export async function redisServer({ env, say }) {
  const present = presentRedisServer(env);
  if (present !== undefined) return present;
  const cache = cacheFolder(env);
  const folder = join(cache, 'redis');
  try {
    if (!existsSync(folder)) {
      say("fetching Redis: the distribution's packages, unpacked below " + cache);
      await unpackPackages(['redis-server', 'redis-tools'], folder, { env, say });
    }
    return await wrap(folder, join(cache, 'bin', 'redis-server'), env);
  } catch (error) {
    throw new Error(
      `There is no redis-server here and none could be brought. Install one (apt-get install redis-server), ` +
        `or set CINDER_REDIS_URL to a Redis of yours.\n${error.message}`,
    );
  }
}

/**
 * A redis-server that is there already, found without starting a process.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined}
 */
export function presentRedisServer(env) {
  return (
    env.CINDER_REDIS_SERVER ||
    findProgram('redis-server', env.PATH) ||
    findProgram('redis-server', join(cacheFolder(env), 'bin'))
  );
}

/** Writes the script that starts the unpacked program with the libraries unpacked beside it, once it is seen to run. */
async function wrap(folder, wrapper, env) {
  const draft = `${wrapper}.${randomUUID()}`; // two that come at once may be of one process
  mkdirSync(dirname(wrapper), { recursive: true });
  writeFileSync(
    draft,
    `#!/bin/sh\nLD_LIBRARY_PATH=${quoted(libraryPath(folder))} exec ${quoted(join(folder, 'usr/bin/redis-server'))} "$@"\n`,
  );
  chmodSync(draft, 0o755);
  await run(draft, ['--version'], { env });
  renameSync(draft, wrapper);
  return wrapper;
}

/** One word for a shell. */
function quoted(word) {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(await redisServer({ env: process.env, say: (line) => console.error(line) }));
}
