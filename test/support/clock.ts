import { execFileSync } from 'node:child_process';
import test from 'ava';
import { findTool } from './process.js';
import { hasPostgres } from './postgres-server.js';

const withClock = findTool('with-clock');

/** A test of processes whose clocks differ: it needs PostgreSQL, and the library that bends a clock. */
export const clockTest = withClock !== undefined && hasPostgres ? test : test.skip;

/** The environment of a process whose clock is so many seconds ahead; negative: behind. Its timers are right. */
export function clockAhead(seconds: number): Readonly<Record<string, string>> {
  if (withClock === undefined) throw new Error('there is no with-clock: npm run setup:test brings it');
  const offset = seconds < 0 ? String(seconds) : `+${seconds}`;
  const lines = execFileSync(withClock, [offset, 'env'], { encoding: 'utf8' }).split('\n');
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, value] = /^(LD_PRELOAD|FAKETIME\w*|DONT_FAKE_MONOTONIC)=(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}
