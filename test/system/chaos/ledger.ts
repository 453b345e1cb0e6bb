import { MAX_CLAIMS } from '#src/casts/attempts.js';

/** What became of a request, as its client knows it: answered, refused for good, or neither. */
export type Ending = 'accepted' | 'refused' | 'in doubt';

/** A volume that a client has asked for. */
export interface Creation {
  readonly projectId: string;
  /** Of this request alone, so that it names the volume whoever has made it. */
  readonly name: string;
  readonly idempotencyKey: string;
  readonly sourceVolumeId: string | undefined;
  ending: Ending | undefined;
  /** Of the volume, where the request was accepted. */
  id: string;
  /** What became of the request to delete it. */
  deletion: Ending | 'asked' | undefined;
  /** How the refusal, or the doubt, was worded. */
  why: string;
}

/** Everything that clients have asked for, and what they were answered. */
export class Ledger {
  readonly creations: Creation[] = [];
  /** Answers that no caller should ever get. */
  readonly oddities: string[] = [];

  /** Volumes that were accepted and that nobody has asked to delete. */
  live(projectId: string): readonly Creation[] {
    return this.creations.filter(
      (each) => each.projectId === projectId && each.ending === 'accepted' && each.deletion === undefined,
    );
  }

  count(ending: Ending): number {
    return (
      this.creations.filter((each) => each.ending === ending).length +
      this.creations.filter((each) => each.deletion === ending).length
    );
  }
}

/** A live or deleted record of a volume. */
export interface VolumeRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly host: string | null;
  readonly status_reason: string | null;
  readonly is_deleted: boolean;
  /** Whether it was ever a volume, not only the record of a request that was undone. */
  readonly was_made: boolean;
  /** ms since 1970. */
  readonly created_at: number;
}

/** How often processes that work on volumes have ended since a moment, ms since 1970. */
type EndsSince = (moment: number) => number;

/**
 * Where records and answers do not agree: exactly one volume for each accepted request, none for a refused one, at most one
 * where nobody knows; gone where a deletion was accepted, there where none was. What was given up
 * must have seen so many processes end.
 */
export function disagreements(ledger: Ledger, records: readonly VolumeRow[], endsSince: EndsSince): readonly string[] {
  const byName = new Map<string, VolumeRow[]>();
  for (const row of records) byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  const known = new Set(ledger.creations.map(({ name }) => name));
  const strangers = records.filter(({ name }) => !known.has(name)).map(({ id }) => `nobody has asked for volume ${id}`);
  return [
    ...strangers,
    ...ledger.creations.flatMap((creation) => wrong(creation, byName.get(creation.name) ?? [], endsSince)),
  ];
}

function wrong(creation: Creation, rows: readonly VolumeRow[], endsSince: EndsSince): readonly string[] {
  const { name, ending, id, deletion, why } = creation;
  // what was undone before it was answered leaves a deleted record: a retry with the same key makes another
  const real = rows.filter((each) => each.id === id || each.was_made || !each.is_deleted);
  const [row] = real;
  if (real.length > 1)
    return [`${real.length} volumes for the one request ${name}: ${real.map((each) => each.id).join(', ')}`];
  if (ending === 'refused') return row ? [`${name} was refused (${why}), and there is volume ${row.id}`] : [];
  if (ending === 'in doubt') return row ? notAvailable(creation, row, endsSince) : [];
  if (!row) return [`${name} was accepted as ${id}, and there is no such volume`];
  if (row.id !== id) return [`${name} was accepted as ${id}, and the volume is ${row.id}`];
  if (deletion === 'accepted') {
    if (row.is_deleted || isGivenUp(row, 'error_deleting', endsSince)) return [];
    return [`the deletion of ${id} was accepted, and it is there: ${row.status}`];
  }
  if (row.is_deleted) return deletion === 'in doubt' ? [] : [`${id} is gone, and nobody was told so`];
  return notAvailable(creation, row, endsSince);
}

/** A volume that no backend would take is in error, as its owner is told; a clone must be where its source is. */
export const NO_BACKEND = 'No valid backend was found.';

/** What an owner is told of work that was given up, because whoever began it ended: so often that it may be the cause. */
export const NEVER_ENDED = `It was begun ${MAX_CLAIMS} times and never ended.`;

function isGivenUp(
  { status, status_reason, created_at }: VolumeRow,
  as: 'error' | 'error_deleting',
  endsSince: EndsSince,
): boolean {
  return status === as && status_reason?.startsWith(NEVER_ENDED) === true && endsSince(created_at) >= MAX_CLAIMS;
}

function notAvailable({ name }: Creation, row: VolumeRow, endsSince: EndsSince): readonly string[] {
  const { id, status, status_reason, is_deleted } = row;
  if (is_deleted || status === 'available') return [];
  if (status === 'error' && status_reason?.startsWith(NO_BACKEND)) return [];
  if (isGivenUp(row, 'error', endsSince)) return [];
  return [`${name}, volume ${id}, is in ${status}: ${status_reason ?? 'nobody knows why'}`];
}
