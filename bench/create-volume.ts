import { figure, percentile, show } from './support/figures.js';
import { closedLoop, Load } from './support/load.js';
import { echoServer, productServer } from './support/processes.js';
import type { Bench } from './bench.js';

const REPEATS = 5;
const CONCURRENCY = 32;
const VOLUMES = 2_000;
const ECHOES = 8_000;
const ALONE = 200;
const BURST = 1_000;
const KNOWN = '7f0d3f0e-0000-4000-8000-000000000001';

/** Create → available, closed loop and alone, and a burst, beside the bare echo of the same run. */
export const createVolume: Bench = {
  name: 'create-volume',
  about: 'CreateVolume to available, seen by one watch: 32 in flight, alone, and a burst of 1,000',

  async run(report) {
    const echo = await echoServer();
    const product = await productServer();
    const floor = new Load(echo.address);
    const load = new Load(product.address);
    try {
      await load.watch();
      const make = async (): Promise<void> => load.finished(await load.create());
      await closedLoop(500, CONCURRENCY, make);
      await closedLoop(2_000, CONCURRENCY, () => floor.get(KNOWN));

      const rates: number[] = [];
      const cpu: number[] = [];
      const echoRates: number[] = [];
      const alone: number[] = [];
      const echoAlone: number[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat += 1) {
        const echoed = await closedLoop(ECHOES, CONCURRENCY, () => floor.get(KNOWN));
        echoRates.push(ECHOES / echoed.seconds);
        const before = product.cpuMs();
        const made = await closedLoop(VOLUMES, CONCURRENCY, make);
        rates.push(VOLUMES / made.seconds);
        cpu.push((product.cpuMs() - before) / VOLUMES);
        echoAlone.push(percentile((await closedLoop(ALONE, 1, () => floor.get(KNOWN))).latencies, 0.5));
        alone.push(percentile((await closedLoop(ALONE, 1, make)).latencies, 0.5));
      }

      const bursts: number[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat += 1) {
        bursts.push((await closedLoop(BURST, BURST, make)).seconds);
      }

      const ratio = rates.map((rate, index) => rate / (echoRates[index] ?? NaN));
      const times = alone.map((ms, index) => ms / (echoAlone[index] ?? NaN));
      report('created, 32 in flight (volumes/s)', figure(rates), show(figure(rates)));
      report('bare echo, 32 in flight (calls/s)', figure(echoRates), show(figure(echoRates)));
      report('created ÷ echo (at least 0.12)', figure(ratio), show(figure(ratio), 3));
      report('server CPU a volume (ms, at most 2)', figure(cpu), show(figure(cpu), 2));
      report('alone, p50 (ms)', figure(alone), show(figure(alone), 2));
      report('alone ÷ echo alone (at most 12)', figure(times), show(figure(times), 1));
      report('burst of 1,000 finished (s, at most 3)', figure(bursts), show(figure(bursts), 2));
      report('server memory (MiB)', figure([product.rssMib()]), show(figure([product.rssMib()])));
    } finally {
      load.close();
      floor.close();
      await Promise.all([echo.stop(), product.stop()]);
    }
  },
};
