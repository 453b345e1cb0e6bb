import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectRedis } from '#src/redis/connect.js';
import { startPrivateServer } from '#src/redis/private-server.js';
import { loadClaimScripts } from '#src/scheduler/claim-scripts.js';
import { Claims } from '#src/scheduler/claims.js';
import type { Bench } from './bench.js';
import { figure, percentile, show } from './support/figures.js';
import { closedLoop } from './support/load.js';

const REPEATS = 5;
const CLAIMS = 2_000;
const CONCURRENCY = 32;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** What a claim adds to a placement, beside a bare PING of the same connection. */
export const claimsBench: Bench = {
  name: 'claims',
  about: 'a capacity claim in Redis, alone and 32 in flight, beside PING',

  async run(report) {
    const dir = await mkdtemp(join(tmpdir(), 'cinder-bench-'));
    const server = await startPrivateServer({
      dir,
      command: process.env['CINDER_REDIS_SERVER'] ?? 'redis-server',
      log: SILENT,
    });
    const redis = await connectRedis({ url: server.socket, log: SILENT });
    try {
      const claims = new Claims({
        ...{ redis, scripts: loadClaimScripts(), maxOverSubscriptionRatio: '20.0', reportIntervalMs: 60_000 },
        workMs: 600_000,
      });
      const capabilities = { total_capacity_gb: 1e9, free_capacity_gb: 1e9, timestamp: 1 };
      let count = 0;
      const claim = async (): Promise<void> => {
        count += 1;
        const pool = { backendId: `host${count % 100}@b#p`, capabilities, updatedAt: 1 };
        await claims.claim({ volumeId: `volume-${count}`, epoch: 1 }, pool, 1, false);
      };
      const ping = async (): Promise<void> => {
        await redis.client.ping();
      };
      await closedLoop(CLAIMS, CONCURRENCY, claim);

      const [alone, pings, rates, pingRates]: [number[], number[], number[], number[]] = [[], [], [], []];
      for (let repeat = 0; repeat < REPEATS; repeat += 1) {
        pings.push(percentile((await closedLoop(CLAIMS, 1, ping)).latencies, 0.5));
        alone.push(percentile((await closedLoop(CLAIMS, 1, claim)).latencies, 0.5));
        pingRates.push(CLAIMS / (await closedLoop(CLAIMS, CONCURRENCY, ping)).seconds);
        rates.push(CLAIMS / (await closedLoop(CLAIMS, CONCURRENCY, claim)).seconds);
      }
      report('a claim alone, p50 (ms)', figure(alone), show(figure(alone), 3));
      report('PING alone, p50 (ms)', figure(pings), show(figure(pings), 3));
      report('claims, 32 in flight (claims/s)', figure(rates), show(figure(rates)));
      report('PINGs, 32 in flight (calls/s)', figure(pingRates), show(figure(pingRates)));
    } finally {
      await redis.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
};
