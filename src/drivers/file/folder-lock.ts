import { join } from 'node:path';
import Database from 'libsql';

/** A folder that is ours until it is released or the process ends, however it ends. */
export interface FolderLock {
  release(): void;
}

/** The folder belongs to another process. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';

  constructor(folder: string) {
    super(
      `The folder ${folder} is in use by another process (\`fuser ${join(folder, LOCK_FILE)}\` names it); ` +
        'a backend folder belongs to one process at a time.',
    );
  }
}

/**
 * Makes a folder ours. Throws FolderInUse.
 *
 * Node has no flock(2). SQLite locks with fcntl(2) what it opens: the kernel frees such a lock when the process ends, even
 * by SIGKILL, so there is never a stale one to break, and no pid to mistake for another.
 */
export function lockFolder(folder: string): FolderLock {
  const lock = new Database(join(folder, LOCK_FILE));
  try {
    lock.exec('BEGIN EXCLUSIVE'); // on an empty database: it locks the file and writes nothing
  } catch (error) {
    lock.close();
    throw isBusy(error) ? new FolderInUse(folder) : error;
  }
  return { release: () => lock.close() };
}

const LOCK_FILE = '.lock';

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}
