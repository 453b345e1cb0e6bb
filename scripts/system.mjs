// usage: npm run chaos -- [--minutes N] [--seed S]    kills and disturbs a whole cluster at work; exit code 0: all held
//        npm run soak -- [--minutes N]                lets it work for long; exit code 0: nothing grows without end

import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

import { cacheFolder } from './cache.mjs';
import { redisServer } from './install-redis.mjs';
import { prepare, ROOT, TO_TEST } from './prepare.mjs';

const say = (line) => console.error(line);

await prepare(TO_TEST, say);
const CINDER_REDIS_SERVER = await redisServer({ env: process.env, say });
const PATH = [join(cacheFolder(process.env), 'bin'), process.env.PATH].join(delimiter);
const [name, ...args] = process.argv.slice(2);
const { status, signal } = spawnSync(process.execPath, [join(ROOT, 'build/test/system', name, 'main.js'), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH, CINDER_REDIS_SERVER },
});
if (signal) say(`It was ended by ${signal}.`);
process.exitCode = status ?? 1;
