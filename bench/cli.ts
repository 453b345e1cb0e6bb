import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { figure, show } from './support/figures.js';
import { Load } from './support/load.js';
import { productServer } from './support/processes.js';
import type { Bench } from './bench.js';

const REPEATS = 9;
const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What a user waits for at the prompt: whole processes, from nothing to the end, one after the other in turns. */
export const cli: Bench = {
  name: 'cli',
  about: '`volume list` from a cold process, beside bare `import @grpc/grpc-js` (at most 350 ms)',

  async run(report) {
    const product = await productServer();
    const load = new Load(product.address);
    const list = [CLI, '--api', product.address, '--project', 'bench', 'volume', 'list'];
    const processes = {
      'volume list': list,
      'volume list -f value': [...list, '-f', 'value'],
      'volume --help': [CLI, 'volume', '--help'],
      '--version': [CLI, '--version'],
      'floor: import @grpc/grpc-js': ['--input-type=module', '-e', "import '@grpc/grpc-js'"],
      'floor: node': ['-e', '0'],
    };
    try {
      for (let n = 0; n < 10; n++) await load.create();
      const took = new Map<string, number[]>(Object.keys(processes).map((name) => [name, []]));
      for (let repeat = 0; repeat <= REPEATS; repeat++) {
        for (const [name, args] of Object.entries(processes)) {
          const ms = await timed(args);
          if (repeat > 0) took.get(name)?.push(ms); // the first fills the disk's cache
        }
      }
      for (const [name, all] of took) report(`${name} (ms)`, figure(all), show(figure(all)));
    } finally {
      load.close();
      await product.stop();
    }
  },
};

async function timed(args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return performance.now() - begun;
}
