import { readFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import type { Table } from './tables.js';

/** What a table may take where it is decided whether a change may land, ms. On a desk it may take as long as it does. */
const MOST_IN_CI_MS = 240_000;

/** Makes a table anew, and compares it with what was reviewed. */
export async function tableHolds(t: ExecutionContext, { file, make }: Table): Promise<void> {
  const startedAt = performance.now();
  t.is(await make(t), readFileSync(file, 'utf8'));
  const tookMs = Math.round(performance.now() - startedAt);
  if (process.env['CI']) t.true(tookMs < MOST_IN_CI_MS, `it took ${tookMs} ms, of ${MOST_IN_CI_MS}`);
}
