// usage: npm run bench -- NAME [--json]    prepares what is missing and measures

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { redisServer } from './install-redis.mjs';
import { prepare, ROOT, TO_TEST } from './prepare.mjs';

const say = (line) => console.error(line);

await prepare(TO_TEST, say);
const CINDER_REDIS_SERVER = await redisServer({ env: process.env, say });
const { status } = spawnSync(process.execPath, [join(ROOT, 'build/bench/bench.js'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, CINDER_REDIS_SERVER },
});
process.exitCode = status ?? 1;
