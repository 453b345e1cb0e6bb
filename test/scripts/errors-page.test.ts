import { readFileSync } from 'node:fs';
import test from 'ava';
import { errorsPage, FILE } from '#scripts/errors-page.mjs';
import { FAULTS } from '#src/errors/catalogue.js';

test('docs/errors.md says what the catalogue says: npm run gen:errors', async (t) => {
  t.is(readFileSync(FILE, 'utf8'), await errorsPage());
});

test('the page of errors has a line for every reason, and none that cannot show its facts', async (t) => {
  const page = await errorsPage();
  t.is(page.match(/^\| `[A-Z_]+`/gm)?.length, Object.keys(FAULTS).length);
  t.notRegex(page, /undefined|NaN|\[object/);
});
