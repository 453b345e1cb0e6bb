// usage: node scripts/compiled.mjs NAME [ARGUMENT...]    prepares what is missing and runs build/NAME.js, e.g. scripts/proto-view

import { join } from 'node:path';

import { prepare, ROOT, TO_TEST } from './prepare.mjs';

const [name = '', ...args] = process.argv.slice(2);
const script = join(ROOT, 'build', `${name}.js`);

await prepare(TO_TEST, (line) => console.error(line));
process.argv = [process.execPath, script, ...args];
await import(script);
