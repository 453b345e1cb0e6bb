// usage: npm run gen:matrix    writes the tables of test/versions from what real clients and servers do

import { writeFileSync } from 'node:fs';

import { tables } from './tables.js';

const ends: (() => unknown)[] = [];
const t = { teardown: (end: () => unknown) => void ends.push(end) };
for (const { file, make } of tables) writeFileSync(file, await make(t));
for (const end of ends.toReversed()) await end();
