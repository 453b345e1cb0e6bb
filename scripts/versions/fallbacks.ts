import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from '#scripts/prepare.mjs';

/** How the newest client words a call for older servers, by method; none: as it is, or not at all. */
export type Fallbacks = ReadonlyMap<string, readonly Fallback[]>;

export interface Fallback {
  /** e.g. `3.0-3.9`. */
  readonly versions: string;
  /** e.g. `sent without backup_id (3.0)`. */
  readonly outcome: string;
}

/** Reads them out of the table that a test compares with what clients really do. Throws for a table without any. */
export function readFallbacks(binary: string): Fallbacks {
  const file = join(ROOT, 'test/versions', `${binary.replace('cinder-', '')}-matrix.txt`);
  const sections = readFileSync(file, 'utf8').split('\n\n').slice(1);
  const found = sections.flatMap((section): [string, readonly Fallback[]][] => {
    const lines = section.split('\n');
    const rules = lines.findIndex((line) => /^(call|cast|fanout)\b.*since/.test(line));
    if (rules < 0) return [];
    const names = lines.slice(0, rules).join(' ').split(/, */);
    const older = ofNewest(lines.slice(rules + 1));
    return names.map((name) => [name.trim(), older]);
  });
  if (found.length === 0) throw new Error(`${file} is no table of methods`);
  return new Map(found);
}

/** The last group of `client` lines: the newest version is among its own. */
function ofNewest(lines: readonly string[]): readonly Fallback[] {
  const clients = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('  thought')),
  );
  const last = clients.findLastIndex((line) => line.startsWith('  client'));
  return clients.slice(last).flatMap((line) => {
    const [, versions = '', outcome = ''] = /server (\S+) +(.*)$/.exec(line) ?? [];
    return outcome.startsWith('sent as is') ? [] : [{ versions, outcome }];
  });
}
