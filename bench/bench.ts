/** Usage: npm run bench -- NAME [--json]. Prints each figure beside its floor, measured in the same run. */
import { loadavg } from 'node:os';
import { claimsBench } from './claims.js';
import { cli } from './cli.js';
import { createVolume } from './create-volume.js';
import { decision } from './decision.js';
import { getVolume } from './get-volume.js';
import { listVolumesBench } from './list-volumes.js';
import { memory } from './memory.js';
import { quotaBench } from './quota.js';
import { recovery } from './recovery.js';
import { versionLayer } from './version-layer.js';
import type { Figure } from './support/figures.js';

/** One figure, or a few that belong together. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  run(report: (what: string, figure: Figure, text: string) => void): Promise<void>;
}

const BENCHES: readonly Bench[] = [
  claimsBench,
  cli,
  createVolume,
  decision,
  getVolume,
  listVolumesBench,
  memory,
  quotaBench,
  recovery,
  versionLayer,
];

const [name] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const bench = BENCHES.find((candidate) => candidate.name === name);
if (bench) await run(bench, process.argv.includes('--json'));
else {
  console.error(`Usage: npm run bench -- NAME [--json]\n${BENCHES.map((b) => `  ${b.name}: ${b.about}`).join('\n')}`);
  process.exitCode = 2;
}

async function run(chosen: Bench, json: boolean): Promise<void> {
  const rows: { readonly what: string; readonly figure: Figure; readonly text: string }[] = [];
  await chosen.run((what, figure, text) => rows.push({ what, figure, text }));
  if (json) {
    const figures = Object.fromEntries(rows.map(({ what, figure }) => [what, figure]));
    console.log(JSON.stringify({ bench: chosen.name, node: process.version, loadavg: loadavg(), figures }));
    return;
  }
  console.log(`${chosen.name}: median [min..max], Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`);
  for (const { what, text } of rows) console.log(`  ${what.padEnd(76)} ${text}`);
}
