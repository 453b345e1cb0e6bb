/** Usage: npm run chaos -- [--minutes N] [--seed S]. Exit code 0: everything held. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../../support/process.js';
import { withLifetime } from './lifetime.js';
import { chaos } from './run.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error('Usage: npm run chaos -- [--minutes N] [--seed S]');
  process.exit(2);
}
const say = (line: string): void => console.error(line);
const { problems, figures, logs } = await withLifetime((t) => chaos(t, { seed, minutes, say }));
if (problems.length > 0) {
  const folder = join(ROOT, 'build/chaos', String(seed));
  await mkdir(folder, { recursive: true });
  for (const [name, log] of logs) await writeFile(join(folder, `${name}.log`), log);
  say(`${problems.join('\n')}\nThe logs are in ${folder}.`);
}
console.log(`${problems.length === 0 ? 'held' : 'BROKEN'}; ${figures}`);
process.exit(problems.length === 0 ? 0 : 1);
