import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Fault } from '../../errors/fault.js';
import type { Work } from '../driver.js';
import { spaceOf } from './sparse-file.js';

/** How often progress is looked at, ms. */
const LOOK_MS = 500;
/** A copy that has not grown for so long is given up, ms: the device does not answer. */
const STALLED_MS = 600_000;
/** Characters of a program's complaint that are kept. */
const MAX_COMPLAINT = 500;

export interface SparseCopyOptions {
  /** Where cp(1), sync(1) and setpriv(1) are looked for, as in PATH. */
  readonly programPath: string;
  /** @default 10 min */
  readonly stalledMs?: number;
}

/**
 * Copies the content of an open file to another one, bytes as they are and holes as holes, durably; time and space go with
 * the data, not with the size. Ends promptly with the signal's reason when it is aborted, and no program outlives this
 * process. Throws Fault VolumeBackendAPIException with cp's own words.
 *
 * Node cannot ask a file for its holes (SEEK_HOLE), GNU cp can. It is handed descriptors, not names: nothing can be put in
 * their place, and there is neither shell nor format. It runs, and syncs, in a process of its own because a long copy on
 * one of the four threads of libuv would keep every other file of this process waiting.
 */
export async function copySparse(from: number, to: number, work: Work, options: SparseCopyOptions): Promise<void> {
  const { signal, onProgress } = work;
  const { usedBytes } = await spaceOf(from);
  signal.throwIfAborted();
  onProgress(0);
  const giveUp = new AbortController();
  const stop = AbortSignal.any([signal, giveUp.signal]);
  const looking = watchGrowth(to, options.stalledMs ?? STALLED_MS, giveUp, (bytes) => {
    // the rest is for what cp writes last and for the disk
    onProgress(Math.min(99, Math.floor((100 * bytes) / Math.max(1, usedBytes))));
  });
  try {
    const [source, target] = ['/proc/self/fd/3', '/proc/self/fd/4'];
    await run(['cp', '--reflink=never', '--sparse=auto', '--', source, target], [from, to], stop, options);
    await run(['sync', source], [to], stop, options);
  } finally {
    clearInterval(looking);
  }
}

/** Tells how much of the file there is; aborts when it stops growing. */
function watchGrowth(
  file: number,
  stalledMs: number,
  giveUp: AbortController,
  onBytes: (usedBytes: number) => void,
): NodeJS.Timeout {
  let known = -1;
  let grownAt = performance.now();
  const look = async (): Promise<void> => {
    const { usedBytes } = await spaceOf(file);
    if (usedBytes > known) [known, grownAt] = [usedBytes, performance.now()];
    else if (performance.now() - grownAt > stalledMs) giveUp.abort(failed(`nothing was written for ${stalledMs} ms`));
    onBytes(usedBytes);
  };
  // a file that cannot be looked at is closed already, or says so to the one who copies
  return setInterval(() => void look().catch(() => undefined), Math.min(LOOK_MS, stalledMs));
}

/** Runs a program to its end; `files` are its descriptors from 3 on. Throws the signal's reason when it was killed for it. */
async function run(
  command: readonly string[],
  files: readonly number[],
  signal: AbortSignal,
  { programPath }: SparseCopyOptions,
): Promise<void> {
  signal.throwIfAborted();
  const [program = '', ...args] = [...boundToUs(programPath), ...command];
  const child = spawn(program, args, {
    env: { PATH: programPath, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe', ...files],
  });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < MAX_COMPLAINT) complaint += text;
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  try {
    const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject).once('close', (status, killedBy) => resolve(status ?? killedBy));
    });
    signal.throwIfAborted();
    if (code !== 0)
      throw failed(complaint.trim().slice(0, MAX_COMPLAINT) || `${command[0] ?? ''} ended with ${code ?? ''}`);
  } catch (error) {
    throw isMissing(error) ? failed(`there is no ${program} in ${programPath}`) : error;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

/** The kernel kills the program when this process dies, however it dies; where util-linux is missing, it ends by itself. */
function boundToUs(programPath: string): readonly string[] {
  const isThere = programPath.split(delimiter).some((folder) => isExecutable(join(folder, 'setpriv')));
  return isThere ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function failed(reason: string): Fault<'VolumeBackendAPIException'> {
  return new Fault('VolumeBackendAPIException', { reason: `the copy failed: ${reason}.` });
}
