import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ExecutionContext } from 'ava';

import { cacheFolder } from '#scripts/cache.mjs';
import { findProgram } from '#scripts/run.mjs';

/** The package's own folder. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** The built command line. */
export const CLI = join(ROOT, 'dist/cli/main.js');

const KILL_AFTER_MS = 10_000;

/** A process of this test's own. */
export interface TestProcess {
  readonly child: ChildProcess;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Waits until stdout or stderr has what `pattern` matches. Throws with all output when it ends before, or at the deadline. */
  wrote(pattern: RegExp, deadlineMs?: number): Promise<RegExpExecArray>;
  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | string>;
}

export interface ProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** @default the package's own folder */
  readonly cwd?: string;
  /** Who it runs as; only root may say so. @default who runs the test */
  readonly uid?: number;
  readonly gid?: number;
  /** Whether it can be sent messages, and sends some. @default false */
  readonly ipc?: boolean;
}

/**
 * Starts a program with an environment of its own: nothing that begins with CINDER_ is passed on. Ended with the test, by
 * SIGTERM, then by SIGKILL; the test waits for it.
 */
export function processFor(
  t: Pick<ExecutionContext, 'teardown'>,
  command: string,
  args: readonly string[],
  { env = {}, cwd = ROOT, ipc = false, ...user }: ProcessOptions = {},
): TestProcess {
  const child = spawn(command, args, {
    ...user,
    cwd,
    env: { ...plainEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  const written = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (written.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (written.stderr += chunk.toString()));
  const end = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);

  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    await end;
    clearTimeout(killer);
  });
  return {
    child,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    ended: () => end,
    wrote: (pattern, deadlineMs = 30_000) => wrote(child, written, pattern, deadlineMs),
  };
}

/** A program of the PATH, or one that `npm run setup:test` brought; undefined where there is none. */
export function findTool(program: string): string | undefined {
  const path = [process.env['PATH'], join(cacheFolder(process.env), 'bin')].join(delimiter);
  return findProgram(program, path);
}

function plainEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('CINDER_'));
  return { HOME: homedir(), ...Object.fromEntries(own) };
}

function wrote(
  child: ChildProcess,
  written: { readonly stdout: string; readonly stderr: string },
  pattern: RegExp,
  deadlineMs: number,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const finish = (found: RegExpExecArray | undefined, why: string): void => {
      clearTimeout(timer);
      child.stdout?.off('data', look);
      child.stderr?.off('data', look);
      child.off('close', ended);
      if (found) resolve(found);
      else reject(new Error(`${why} ${String(pattern)}:\n${written.stdout}\n${written.stderr}`));
    };
    const look = (): void => {
      const found = pattern.exec(written.stdout) ?? pattern.exec(written.stderr);
      if (found) finish(found, '');
    };
    const ended = (): void => finish(undefined, 'The process ended without');
    const timer = setTimeout(() => finish(undefined, `${deadlineMs} ms passed without`), deadlineMs);
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.on('close', ended);
    look();
  });
}
