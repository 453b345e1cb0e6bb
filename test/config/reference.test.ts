import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { GROUPS, SCHEMA } from '#src/config/schema.js';
import { configReference, FILE } from '../../scripts/config-reference.js';
import { ROOT } from '../support/process.js';

test('docs/config.md says what the schema says: npm run gen:config', (t) => {
  t.is(readFileSync(FILE, 'utf8'), configReference());
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

test('no option is a lie: each is read by somebody, or says that it is not', (t) => {
  const folder = join(ROOT, 'dist');
  const code = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js') && !/^(gen|config\/(schema|rules)\b)/.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  for (const [field, { name, help }] of Object.entries(SCHEMA)) {
    const isRead = new RegExp(`\\b${field}\\b`).test(code);
    t.is(isRead, !help.startsWith('Not in use yet: '), name);
  }
});
