import type { Bench } from './bench.js';
import { figure, show } from './support/figures.js';
import { closedLoop, Load } from './support/load.js';
import { productServer } from './support/processes.js';

const WARM_UP = 5_000;
const VOLUMES = 20_000;
const PARTS = 10;
const CONCURRENCY = 32;
const MAX_IDLE_MIB = 200;
const MAX_GROWTH = 0.15;

/** Volumes made and deleted, and what the server's memory does meanwhile. */
export const memory: Bench = {
  name: 'memory',
  about: 'resident memory: idle, and over many volumes made and deleted',
  async run(report) {
    const server = await productServer();
    const load = new Load(server.address);
    try {
      await load.watch();
      const idle = await settled(() => server.rssMib());
      await lives(load, WARM_UP);
      const before = await settled(() => server.rssMib());
      const samples = [before];
      for (let part = 0; part < PARTS; part += 1) {
        await lives(load, VOLUMES / PARTS);
        samples.push(await settled(() => server.rssMib()));
      }
      const growth = ((samples.at(-1) ?? NaN) / before - 1) * 100;
      // the later half alone: what grows for ever grows there too
      const late = samples.slice(PARTS / 2);
      const slope = (slopeOf(late) * 1_000 * PARTS) / VOLUMES;
      report(`idle (MiB, at most ${MAX_IDLE_MIB})`, figure([idle]), show(figure([idle])));
      report(`after ${WARM_UP} volumes (MiB)`, figure([before]), show(figure([before])));
      report(`over ${VOLUMES} more (MiB)`, figure(samples), show(figure(samples)));
      report(`growth (%, at most ${MAX_GROWTH * 100})`, figure([growth]), show(figure([growth]), 1));
      report('slope of the later half (MiB per 1,000)', figure([slope]), show(figure([slope]), 2));
    } finally {
      load.close();
      await server.stop();
    }
  },
};

async function lives(load: Load, count: number): Promise<void> {
  await closedLoop(count, CONCURRENCY, async () => {
    const id = await load.create();
    await load.finished(id);
    await load.delete(id);
  });
}

/** What is there once a collection had time to run: the least of a few looks. */
async function settled(look: () => number): Promise<number> {
  const looks: number[] = [];
  for (let index = 0; index < 6; index += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    looks.push(look());
  }
  return Math.min(...looks);
}

/** Of the straight line nearest to the values, a step. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [above, below] = values.reduce(
    ([up, down], value, index) => [up + (index - middle) * (value - mean), down + (index - middle) ** 2],
    [0, 0],
  );
  return above / below;
}
