import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'libsql';
import { Fault } from '../errors/fault.js';

export type SqliteFile = Database.Database;

export interface SqliteFileOptions {
  /** How long to wait for a process that is just ending, ms, 0 to 60,000. @default 3000 */
  readonly lockTimeoutMs?: number;
}

const LOCK_TIMEOUT_MS = 3_000;
const LOCK_POLL_MS = 50;

/**
 * Opens the embedded database for this process alone: commits that are durable once its log is, and a lock that the kernel
 * takes back when the process dies. Makes the file, for its owner only, if there is none. Throws Fault `DatabaseInUse`, `DatabaseUnavailable`.
 */
export async function openSqliteFile(path: string, options: SqliteFileOptions = {}): Promise<SqliteFile> {
  const deadline = performance.now() + (options.lockTimeoutMs ?? LOCK_TIMEOUT_MS);
  await makeFile(path);
  for (;;) {
    const database = tryOpen(path);
    if (database) return database;
    if (performance.now() >= deadline) throw new Fault('DatabaseInUse', { path });
    await delay(LOCK_POLL_MS);
  }
}

/**
 * Closes the file and gives up the lock. libsql keeps a connection for as long as one of its statements lives, which is
 * until the garbage collector comes by; so the lock is handed back first, and that is only possible outside WAL.
 */
export function closeSqliteFile(database: SqliteFile): void {
  try {
    pragma(database, 'journal_mode = DELETE');
    pragma(database, 'locking_mode = NORMAL');
    database.prepare('SELECT 1 FROM sqlite_schema').all();
  } catch {
    // a disk that fails here has nothing left to lose: what was committed is in the WAL, and the lock ends with the process
  }
  database.close();
}

/** Whether SQLite cannot work at the moment (disk full, I/O error, locked), as opposed to a statement it refuses. */
export function isOutage(error: unknown): error is Error & { readonly code: string } {
  return (
    hasCode(error) &&
    /^SQLITE_(FULL|IOERR|BUSY|LOCKED|NOMEM|READONLY|CANTOPEN|CORRUPT|NOTADB|PROTOCOL)/.test(error.code)
  );
}

/** Whether a statement was refused because of a unique key. */
export function isUniqueViolation(error: unknown): boolean {
  return hasCode(error) && (error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || error.code === 'SQLITE_CONSTRAINT_UNIQUE');
}

async function makeFile(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await (await open(path, 'a', 0o600)).close();
  } catch (cause) {
    throw new Fault('DatabaseUnavailable', { reason: `the file ${path} cannot be opened` }, { cause });
  }
}

/** The open file, or undefined while another process holds it. */
function tryOpen(path: string): SqliteFile | undefined {
  const database = new Database(path);
  try {
    // before the first access: from then on the lock is held, and no shared memory is needed beside the file
    pragma(database, 'locking_mode = EXCLUSIVE');
    pragma(database, 'journal_mode = WAL');
    pragma(database, 'synchronous = NORMAL'); // commits are made durable by `SqliteLog`
    pragma(database, 'foreign_keys = OFF');
    pragma(database, 'temp_store = MEMORY');
    pragma(database, `cache_size = ${-CACHE_KIB}`);
    pragma(database, `wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    pragma(database, `journal_size_limit = ${WAL_LIMIT_BYTES}`);
    database.exec('BEGIN EXCLUSIVE');
    database.exec('COMMIT');
    return database;
  } catch (cause) {
    database.close();
    if (hasCode(cause) && cause.code.startsWith('SQLITE_BUSY')) return undefined;
    throw new Fault('DatabaseUnavailable', { reason: `${path} cannot be used as a database` }, { cause });
  }
}

/** Of SQLite's own pages; the kernel keeps the rest of the file. More is held for ever once rows have passed through it. */
const CACHE_KIB = 16 * 1024;
/**
 * Pages of the log between two checkpoints: 32 MiB, which a start after a crash reads back. A checkpoint waits for the disk inside
 * a commit, as long for many pages as for few, and most commits change the same pages.
 */
const CHECKPOINT_PAGES = 8_192;
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

function pragma(database: SqliteFile, text: string): void {
  database.prepare(`PRAGMA ${text}`).all();
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
