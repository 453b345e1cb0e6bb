import { compareVersions, versionOf } from '#src/rpc/version-number.js';

import { ENUM, HISTORY, NEWEST, type Row, UNVERSIONED } from './fingerprints.js';

const HEAD = `# What each version of the internal APIs and objects looks like; written by \`npm run gen:versions\`.
#
# A row is the fingerprint of a method, message or enum as of a version, and counts until the next row of its name. A new
# version only adds rows: what an older one looks like never changes again, for peers of that age are still running.
#
# numbered by, version, name, fingerprint
`;

/** The rows as they are kept. */
export function writeRows(rows: readonly Row[]): string {
  const lines = rows.map(({ clock, version, name, print }) =>
    [clock.padEnd(21), version.padEnd(5), name.padEnd(74), print].join(' '),
  );
  return `${[HEAD, ...lines].join('\n')}\n`;
}

/** Throws for a line that is no row. */
export function readRows(text: string): readonly Row[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [clock, version, name, print] = line.split(/ +/);
    if (!clock || !version || !name || !print) throw new Error(`'${line}' is no row`);
    return { clock, version, name, print };
  });
}

/** In a sentence each, what is different in versions that are published, and what to do about it; empty: all is well. */
export function brokenPromises(published: readonly Row[], now: readonly Row[]): readonly string[] {
  const current = new Map(now.map((row) => [keyOf(row), row]));
  const known = new Set(published.map(keyOf));
  const changed = published
    .filter((row) => row.print !== NEWEST && current.get(keyOf(row))?.print !== row.print)
    .map((row) => [row.name, current.has(keyOf(row)) ? whatChanged(row) : whatIsGone(row)] as const);
  const untimely = now
    .filter((row) => !known.has(keyOf(row)) && isPublished(row, published))
    .map((row) => [row.name, whatIsLate(row)] as const);
  // the oldest version of each that differs is where the trouble is
  return [...new Map([...changed, ...untimely].toReversed()).values()].toReversed();
}

function keyOf({ clock, version, name }: Row): string {
  return `${clock} ${version} ${name}`;
}

function isPublished({ clock, version, print }: Row, published: readonly Row[]): boolean {
  if (clock === UNVERSIONED || clock === HISTORY || print === NEWEST) return false;
  const ofClock = published.filter((row) => row.clock === clock);
  return ofClock.some((row) => compareVersions(versionOf(row.version), versionOf(version)) >= 0);
}

function whatChanged(row: Row): string {
  if (row.print.startsWith(ENUM)) {
    return `${row.name} has other values than were published: values of internal enums never grow; a new field is added instead (ADR 21).`;
  }
  if (row.clock === UNVERSIONED) {
    return (
      `${row.name} has changed, and it has no version by which an older peer could be spared the change. ` +
      'Make it an object with a version, or put what is new into a message of its own.'
    );
  }
  if (row.clock === HISTORY) {
    return (
      `${row.name} is no longer ${row.print} in entry ${row.version} of the object history, which is published. ` +
      'Add an entry to src/rpc/object-history.ts, and let the former one name the former version.'
    );
  }
  return `${row.name} has changed as of ${row.clock} ${row.version}, which is published. ${advice(row)}`;
}

function whatIsGone(row: Row): string {
  return `${row.name} as of ${row.clock} ${row.version} is gone, and peers of that age still use it. Put it back.`;
}

function whatIsLate(row: Row): string {
  return `${row.name} is new as of ${row.clock} ${row.version}, which is published without it. ${advice(row)}`;
}

function advice({ clock }: Row): string {
  return (
    `Give what is new a \`since\` of a new version, and raise the version of ${clock} in the protos to it; ` +
    'leave what is old as it was.'
  );
}
