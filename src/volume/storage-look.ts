import { type PlacedRecord, recordsBetween, recordsNamed, workAt } from '../db/backend-records.js';
import type { Store } from '../db/store.js';
import type { StoredName } from '../drivers/inventory.js';
import { poolOf } from '../objects/backend-name.js';
import type { Backend } from './backend.js';
import { differenceOf, keyOf, NO_RECORD, otherSize } from './inspection.js';

/** How a file and the records do not agree, at one look. */
export interface StorageProblem {
  readonly kind: 'record_without_file' | 'file_of_other_size' | 'file_without_record' | 'half_made_file_left';
  /** UUID; of files by their names. */
  readonly volumeId: string;
  readonly pool: string;
  /** Of what is half-made; else 0. */
  readonly epoch: number;
  readonly description: string;
  /** The same at a second look if nothing has happened meanwhile. */
  readonly sign: string;
}

/** A part of a backend: records behind one and up to another one, then all files. */
export interface StorageRange {
  /** Empty: the beginning. */
  readonly after: string;
  /** Empty: as many as fit a page. */
  readonly until: string;
}

/** What one look saw. */
export interface StoragePage {
  readonly examined: number;
  /** Of files: those that a record or work under way explains; of records 0. */
  readonly explained: number;
  readonly problems: readonly StorageProblem[];
  /** Where the next page begins; empty: there is no more. */
  readonly last: string;
}

/** Records compared at a time, and problems in an answer: more files than that without a record are no accident. */
const PAGE = 1_000;
/** Files that are asked for at the same time. */
const BATCH = 64;
/** Behind all records. */
const FILES = 'files';

/**
 * Compares a part of a backend with the records while it works. What there is work on is not looked at. Throws
 * DriverNotInitialized, VolumeBackendAPIException, DatabaseUnavailable. Rule: docs/protocols.md §W PROOF.
 */
export function lookAtStorage(
  store: Store,
  backend: Backend,
  { after, until }: StorageRange,
  signal: AbortSignal,
): Promise<StoragePage> {
  return after === FILES ? lookAtFiles(store, backend, signal) : lookAtRecords(store, backend, after, until, signal);
}

async function lookAtRecords(
  store: Store,
  backend: Backend,
  after: string,
  until: string,
  signal: AbortSignal,
): Promise<StoragePage> {
  const { inventory } = backend.driver;
  const range = { after, until: until === FILES ? '' : until };
  const records = await recordsBetween(store, { backend: backend.name, limit: PAGE, ...range });
  const problems: StorageProblem[] = [];
  for (let from = 0; from < records.length; from += BATCH) {
    signal.throwIfAborted();
    const batch = records.slice(from, from + BATCH);
    const sizes = await Promise.all(batch.map((record) => inventory.sizeOf(placeOf(record))));
    batch.forEach((record, index) => {
      const problem = problemOf(record, sizes[index]);
      if (problem && !backend.isAtWorkOn(record.id)) problems.push(problem);
    });
  }
  return {
    examined: records.length,
    explained: 0,
    problems,
    last: records.length < PAGE ? FILES : (records.at(-1)?.place ?? FILES),
  };
}

function placeOf({ nameId, host }: PlacedRecord): { readonly id: string; readonly pool: string } {
  return { id: nameId, pool: poolOf(host) ?? '' };
}

function problemOf(record: PlacedRecord, sizeBytes: number | undefined): StorageProblem | undefined {
  const difference = differenceOf(record, sizeBytes);
  if (difference === undefined) return undefined;
  const { id, status, revision } = record;
  const about = { volumeId: id, pool: placeOf(record).pool, epoch: 0 };
  return difference === 'absent'
    ? {
        ...{ kind: 'record_without_file', ...about, sign: String(revision) },
        description: `the volume is '${status}', and its file is not there`,
      }
    : {
        ...{ kind: 'file_of_other_size', ...about, sign: `${revision} ${sizeBytes ?? ''}` },
        description: `${foundInWords(sizeBytes)}, and ${otherSize(record)}`,
      };
}

function foundInWords(sizeBytes = 0): string {
  return Number.isNaN(sizeBytes) ? 'what has its name is no file' : `the file has ${sizeBytes} bytes`;
}

/** The files of a backend: how many a record or work under way explains, and how many nothing does. */
export interface FileCounts {
  readonly explained: number;
  readonly unexplained: number;
}

/** Counts the files of a backend. Throws as `lookAtStorage`. */
export async function countFiles(store: Store, backend: Backend, signal: AbortSignal): Promise<FileCounts> {
  const { examined, explained } = await lookAtFiles(store, backend, signal);
  return { explained, unexplained: examined - explained };
}

/** So many files without a record are possible whatever else there is. */
const FEW = 10;

/** Whether most of what is there has no record: then it is rather the database that is the wrong one. */
export function isOfOtherDatabase({ explained, unexplained }: FileCounts): boolean {
  return unexplained > Math.max(FEW, explained);
}

async function lookAtFiles(store: Store, backend: Backend, signal: AbortSignal): Promise<StoragePage> {
  const problems: StorageProblem[] = [];
  let [examined, explained] = [0, 0];
  for await (const names of backend.driver.inventory.list(signal)) {
    examined += names.length;
    const unexplained = await unexplainedIn(store, backend, names);
    explained += names.length - unexplained.length;
    for (const name of unexplained) {
      if (problems.length < PAGE && !backend.isAtWorkOn(name.id)) problems.push(strayOf(name));
    }
  }
  return { examined, explained, problems, last: '' };
}

function strayOf(name: StoredName): StorageProblem {
  const about = { volumeId: name.id, pool: name.pool, sign: '' };
  return name.kind === 'complete'
    ? { kind: 'file_without_record', ...about, epoch: 0, description: NO_RECORD }
    : {
        ...{ kind: 'half_made_file_left', ...about, epoch: name.epoch },
        description: `it was left by the owner of epoch ${name.epoch}`,
      };
}

/** Those that neither a record nor the work under way explains. */
export async function unexplainedIn(
  store: Store,
  backend: Backend,
  names: readonly StoredName[],
): Promise<readonly StoredName[]> {
  const ids = [...new Set(names.map(({ id }) => id))];
  const [records, work] = await Promise.all([recordsNamed(store, backend.name, ids), workAt(store, backend.name, ids)]);
  const placed = new Set(records.map((record) => keyOf(placeOf(record).pool, record.nameId)));
  return names.filter((name) =>
    name.kind === 'complete' ? !placed.has(keyOf(name.pool, name.id)) : work.get(name.id) !== name.epoch,
  );
}
