// usage: npm run vectors -- DIR    replays recorded cases of the real Cinder; exit code 1 when one comes out differently

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

import { redisServer } from './install-redis.mjs';
import { prepare, ROOT, TO_TEST } from './prepare.mjs';

const say = (line) => console.error(line);

await prepare(TO_TEST, say);
const CINDER_REDIS_SERVER = await redisServer({ env: process.env, say });
const folders = process.argv.slice(2).map((folder) => resolve(process.env.INIT_CWD ?? '.', folder));
const { status } = spawnSync(process.execPath, [join(ROOT, 'build/test/replay/main.js'), ...folders], {
  stdio: 'inherit',
  env: { ...process.env, CINDER_REDIS_SERVER },
});
process.exitCode = status ?? 1;
