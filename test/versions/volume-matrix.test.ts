import { readFileSync } from 'node:fs';
import test from 'ava';
import { VOLUME_TABLE } from './matrix/tables.js';

test('every method of the volume service fares with every version as the table says: npm run gen:matrix', async (t) => {
  t.timeout(1_200_000);
  t.is(await VOLUME_TABLE.make(t), readFileSync(VOLUME_TABLE.file, 'utf8'));
});
