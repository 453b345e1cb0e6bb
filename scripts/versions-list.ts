// usage: npm run gen:versions [-- --accept]    writes the reviewed lists of test/versions; refuses what changes a published version, unless --accept

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ROOT } from '#scripts/prepare.mjs';
import { readDescriptors } from '#src/rpc/descriptors.js';

import { annotations } from './versions/annotations.js';
import { fingerprints } from './versions/fingerprints.js';
import { brokenPromises, readRows, writeRows } from './versions/published.js';

/** Every version rule. */
export const ANNOTATIONS = join(ROOT, 'test/versions/annotations.txt');
/** What each version looks like. */
export const FINGERPRINTS = join(ROOT, 'test/versions/fingerprints.txt');

function main([option]: readonly string[]): void {
  const { registry } = readDescriptors();
  const rows = fingerprints(registry);
  const published = existsSync(FINGERPRINTS) ? readRows(readFileSync(FINGERPRINTS, 'utf8')) : [];
  const broken = option === '--accept' ? [] : brokenPromises(published, rows);
  if (broken.length > 0) {
    console.error(`${broken.join('\n')}\nWhere no release has these versions yet: npm run gen:versions -- --accept`);
    process.exitCode = 1;
    return;
  }
  writeFileSync(ANNOTATIONS, annotations(registry));
  writeFileSync(FINGERPRINTS, writeRows(rows));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
