// usage: npm start [-- OPTIONS OF serve]    prepares what is missing and runs `cinder-grpc serve`

import { presentRedisServer, redisServer } from './install-redis.mjs';
import { prepare, TO_START } from './prepare.mjs';

const say = (line) => console.error(`cinder-grpc: ${line}`);

try {
  await prepare(TO_START, say);
  if (!process.env.CINDER_REDIS_URL) {
    process.env.CINDER_REDIS_SERVER = presentRedisServer(process.env) ?? (await redisServer({ env: process.env, say }));
  }
} catch (error) {
  say(error.message);
  process.exit(1);
}

process.setSourceMapsEnabled(true);
// in this process: one that waits for another would have to pass on every signal
process.argv.splice(2, 0, 'serve');
await import('../dist/cli/main.js');
