import { closeSync, constants, copyFile, fstat, fsync, ftruncate, link, lstat, open, unlink } from 'node:fs';
import { promisify } from 'node:util';

// Callbacks made into promises, and not node:fs/promises: a third less CPU a volume (its file handles are costly).
const copyWholeFile = promisify(copyFile);
const statFile = promisify(fstat);
const fsyncFile = promisify(fsync);
const linkFile = promisify(link);
const lstatFile = promisify(lstat);
const openFile = promisify(open);
const truncateFile = promisify(ftruncate);
const unlinkFile = promisify(unlink);

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;

/**
 * Makes a durable file of `bytes`: what `fill` writes into it, then zeros that take no space. Throws EEXIST: it never opens
 * what is there.
 */
export async function writeSparse(
  path: string,
  bytes: number,
  fill?: (descriptor: number) => Promise<void>,
): Promise<void> {
  await withFile(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, async (file) => {
    await fill?.(file);
    await truncateFile(file, bytes);
    await fsyncFile(file);
  });
}

/**
 * Makes a durable file of `bytes` that shares its blocks with an open one up to that one's end; false if the file system
 * cannot, and then there is no file. Asking costs less than remembering the answer for each pair of pools. Throws EEXIST.
 */
export async function writeReflink(source: number, path: string, bytes: number): Promise<boolean> {
  try {
    await copyWholeFile(`/proc/self/fd/${source}`, path, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (NO_REFLINK.has(codeOf(error))) return false;
    throw error;
  }
  await withFile(path, O_WRONLY | O_NOFOLLOW, async (file) => {
    await truncateFile(file, bytes);
    await fsyncFile(file);
  });
  return true;
}

/** How file systems say that they cannot: not at all, not between these two files, or no longer. */
const NO_REFLINK: ReadonlySet<string> = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EINVAL', 'EXDEV']);

/** Lends an open file for reading. Throws ELOOP for a symbolic link. */
export function withSource<T>(path: string, use: (descriptor: number) => Promise<T>): Promise<T> {
  return withFile(path, O_RDONLY | O_NOFOLLOW, use);
}

async function withFile<T>(path: string, flags: number, use: (descriptor: number) => Promise<T>): Promise<T> {
  const file = await openFile(path, flags, 0o600);
  try {
    return await use(file);
  } finally {
    closeSync(file); // nothing is left to be written: a way to another thread and back takes longer
  }
}

/** Size of an open file and the bytes that it takes on its device. */
export async function spaceOf(descriptor: number): Promise<{ readonly sizeBytes: number; readonly usedBytes: number }> {
  const { size, blocks } = await statFile(descriptor);
  return { sizeBytes: size, usedBytes: blocks * 512 }; // the unit of st_blocks, whatever the file system's own is
}

/** Gives a file a second name; false if the name is taken. */
export async function publish(path: string, name: string): Promise<boolean> {
  try {
    await linkFile(path, name);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a name; false if there was none. */
export async function remove(path: string): Promise<boolean> {
  try {
    await unlinkFile(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Size of a regular file in bytes; undefined if nothing is there, NaN if it is something else. Follows no link. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const stats = await lstatFile(path);
    return stats.isFile() ? stats.size : NaN;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The system's name of a failed system call, e.g. `ENOSPC`; empty for other errors. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : '';
}
