/** Usage: npm run soak -- [--minutes N]. Exit code 0: nothing grows without end. */
import { parseArgs } from 'node:util';
import { withLifetime } from '../chaos/lifetime.js';
import { soak } from './soak.js';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error('Usage: npm run soak -- [--minutes N]');
  process.exit(2);
}
const { problems, table } = await withLifetime((t) => soak(t, { minutes, say: (line) => console.error(line) }));
console.log(table);
console.log(problems.length === 0 ? 'Nothing grows without end.' : problems.join('\n'));
process.exit(problems.length === 0 ? 0 : 1);
