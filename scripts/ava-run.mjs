import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { readTap } from './tap.mjs';

/** How long AVA may take to end after its last word; a test that leaves something open would hold it for ever. */
const EXIT_DEADLINE_MS = 15_000;
const KILL_AFTER_MS = 5_000;

/**
 * Runs AVA once, and says each failure as soon as it is known.
 * @param {{ args: string[], cwd: string, env: NodeJS.ProcessEnv, endsAt: number, say(line: string): void }} options
 *   `endsAt`: by the clock, when it is ended whatever it does
 * @returns {Promise<ReturnType<import('./tap.mjs').TapReader['end']> & { exitCode: number }>}
 */
export async function runAva({ args, cwd, env, endsAt, say }) {
  const startedAt = Date.now();
  const ava = spawn(process.execPath, [join(import.meta.dirname, 'ava-tap.mjs'), '--tap', ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // a process group of its own, so that its end ends all that the tests started
  });
  const { stop, forget } = stopper(ava);
  const overall = setTimeout(() => {
    say('The tests took too long; they are ended.');
    stop();
  }, endsAt - startedAt);
  let lastWord;

  const tap = readTap((failure) => say(`\n${failure}`));
  createInterface({ input: ava.stdout }).on('line', (line) => {
    tap.line(line, Date.now() - startedAt);
    if (line.startsWith('# fail ')) lastWord ??= setTimeout(stop, EXIT_DEADLINE_MS);
  });
  const exitCode = await new Promise((settle) => {
    ava.on('error', (error) => {
      say(`AVA cannot be run: ${error.message}`);
      settle(1);
    });
    ava.on('close', (code) => settle(code ?? 1));
  });
  clearTimeout(overall);
  clearTimeout(lastWord);
  stop();
  forget();
  return { ...tap.end(), exitCode };
}

/** Ends AVA and everything below it: asked first, killed if that is no use. Also when this process is told to end. */
function stopper(ava) {
  const group = (signal) => {
    try {
      process.kill(-ava.pid, signal);
    } catch {
      // the group is gone already
    }
  };
  const stop = () => {
    group('SIGTERM');
    setTimeout(() => group('SIGKILL'), KILL_AFTER_MS).unref();
  };
  const end = () => {
    stop();
    setTimeout(() => process.exit(1), KILL_AFTER_MS + 500);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.once(signal, end);
  const forget = () => {
    for (const signal of signals) process.removeListener(signal, end);
  };
  return { stop, forget };
}
