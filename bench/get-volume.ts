import { figure, show } from './support/figures.js';
import { closedLoop, Load } from './support/load.js';
import { echoServer, productServer } from './support/processes.js';
import type { Bench } from './bench.js';

const REPEATS = 5;
const CALLS = 8_000;
const CONCURRENCY = 16;
const KNOWN = '7f0d3f0e-0000-4000-8000-000000000001';

/** GetVolume's server CPU beside the bare echo's. */
export const getVolume: Bench = {
  name: 'get-volume',
  about: 'server CPU of GetVolume, 16 in flight, beside the bare echo',

  async run(report) {
    const echo = await echoServer();
    const product = await productServer();
    const floor = new Load(echo.address);
    const load = new Load(product.address);
    try {
      await load.watch();
      const id = await load.create();
      await load.finished(id);
      const cpu: number[] = [];
      const echoCpu: number[] = [];
      const rates: number[] = [];
      for (let repeat = 0; repeat <= REPEATS; repeat += 1) {
        const echoBefore = echo.cpuMs();
        await closedLoop(CALLS, CONCURRENCY, () => floor.get(KNOWN));
        const before = product.cpuMs();
        const { seconds } = await closedLoop(CALLS, CONCURRENCY, () => load.get(id));
        if (repeat === 0) continue; // warm-up
        cpu.push(((product.cpuMs() - before) / CALLS) * 1_000);
        echoCpu.push(((echo.cpuMs() - echoBefore) / CALLS) * 1_000);
        rates.push(CALLS / seconds);
      }
      const ratio = cpu.map((us, index) => us / (echoCpu[index] ?? NaN));
      report('GetVolume, server CPU a call (µs)', figure(cpu), show(figure(cpu)));
      report('bare echo, server CPU a call (µs)', figure(echoCpu), show(figure(echoCpu)));
      report('GetVolume ÷ echo (at most 2)', figure(ratio), show(figure(ratio), 2));
      report('GetVolume, 16 in flight (calls/s)', figure(rates), show(figure(rates)));
    } finally {
      load.close();
      floor.close();
      await Promise.all([echo.stop(), product.stop()]);
    }
  },
};
