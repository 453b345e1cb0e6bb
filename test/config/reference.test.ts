import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { configReference } from '#src/config/reference.js';
import { GROUPS, SCHEMA } from '#src/config/schema.js';
import { ROOT } from '../support/process.js';

test('docs/config.md says what the schema says: node scripts/config-reference.mjs', (t) => {
  t.is(readFileSync(join(ROOT, 'docs/config.md'), 'utf8'), configReference());
});

test('every option belongs to a group', (t) => {
  t.is(Object.keys(SCHEMA)[0], GROUPS[0]?.from);
  const fields = Object.keys(SCHEMA);
  const starts = GROUPS.map(({ from }) => fields.indexOf(from));
  t.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
  );
});
