import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { migrate } from '#src/db/migrate.js';
import { openStore } from '#src/db/open-store.js';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { figure, percentile, show } from './support/figures.js';
import { closedLoop, Load } from './support/load.js';
import { echoServer, productServer } from './support/processes.js';
import { LEFT, leaveUnfinished } from './support/unfinished.js';
import type { Bench } from './bench.js';

const UNFINISHED = 10_000;
/** Requests of a round, and how many of them are on their way at once. */
const REQUESTS = 200;
const ROUNDS = 10;
const CONCURRENCY = 2;
const ECHOES = 2_000;
const KNOWN = '7f0d3f0e-0000-4000-8000-000000000001';

/** What a crash left is gone on with at once, and does not keep those waiting who ask for something now. */
export const recovery: Bench = {
  name: 'recovery',
  about: `${UNFINISHED} unfinished rows: when recovery begins, and what new requests feel of it`,

  async run(report) {
    const echo = await echoServer();
    const floor = new Load(echo.address);
    const host = 'bench';
    const product = await productServer({ CINDER_HOST: host }, async (folder) => {
      const url = `sqlite:${join(folder, 'cinder.db')}`;
      await migrate(url);
      const store = await openStore(url);
      const where = { backend: `${host}@file`, pool: 'pool', volumeTypeId: DEFAULT_VOLUME_TYPE_ID };
      await leaveUnfinished(store, { ...where, count: UNFINISHED });
      await store.close();
    });
    const startedAt = performance.now();
    const load = new Load(product.address);
    try {
      while (!(await load.has(LEFT, VolumeStatus.AVAILABLE))) await pause(10);
      const begun = (performance.now() - startedAt) / 1_000;
      await load.watch();
      const make = async (): Promise<void> => load.finished(await load.create());

      const during: number[] = [];
      for (let round = 0; round < ROUNDS && (await load.has(LEFT, VolumeStatus.CREATING)); round += 1) {
        during.push(...(await closedLoop(REQUESTS, CONCURRENCY, make)).latencies);
      }
      while (await load.has(LEFT, VolumeStatus.CREATING)) await pause(100);
      const whole = (performance.now() - startedAt) / 1_000;
      const normal: number[] = [];
      const echoed: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        normal.push(...(await closedLoop(REQUESTS, CONCURRENCY, make)).latencies);
        echoed.push(...(await closedLoop(ECHOES, CONCURRENCY, () => floor.get(KNOWN))).latencies);
      }

      const p99 = (latencies: readonly number[]) => figure([percentile(latencies, 0.99)]);
      const ratio = figure([percentile(during, 0.99) / percentile(normal, 0.99)]);
      const median = figure([percentile(during, 0.5) / percentile(normal, 0.5)]);
      report('from start to the first row that is finished (s, at most 1)', figure([begun]), show(figure([begun]), 2));
      report('all rows are finished after (s)', figure([whole]), show(figure([whole]), 1));
      report('bare echo, p99 (ms)', p99(echoed), show(p99(echoed), 1));
      report('create to available, nothing to recover, p99 (ms)', p99(normal), show(p99(normal), 1));
      report('create to available during recovery, p99 (ms)', p99(during), show(p99(during), 1));
      report('p99 during ÷ normal (at most 3)', ratio, show(ratio, 2));
      report('p50 during ÷ normal', median, show(median, 2));
      report('requests during recovery', figure([during.length]), show(figure([during.length])));
    } finally {
      load.close();
      floor.close();
      await Promise.all([echo.stop(), product.stop()]);
    }
  },
};
