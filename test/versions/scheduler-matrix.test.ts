import { readFileSync } from 'node:fs';
import test from 'ava';
import { SCHEDULER_TABLE } from './matrix/tables.js';

test('every method of the scheduler fares with every version as the table says: npm run gen:matrix', async (t) => {
  t.timeout(1_200_000);
  t.is(await SCHEDULER_TABLE.make(t), readFileSync(SCHEDULER_TABLE.file, 'utf8'));
});
