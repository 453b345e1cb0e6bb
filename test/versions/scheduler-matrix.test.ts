import test from 'ava';
import { tableHolds } from './matrix/table-holds.js';
import { SCHEDULER_TABLE } from './matrix/tables.js';

test('every method of the scheduler fares with every version as the table says: npm run gen:matrix', async (t) => {
  t.timeout(1_200_000);
  await tableHolds(t, SCHEDULER_TABLE);
});
