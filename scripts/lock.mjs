import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Does `work` while no other process does: the lock is a file with its owner's pid. A lock whose owner is dead is broken;
 * a living one is waited for until the deadline.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ deadlineMs: number, say: (line: string) => void }} options
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { deadlineMs, say }) {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${process.pid} ${randomUUID()}`;
  const deadline = Date.now() + deadlineMs;
  for (let told = false; !take(path, own); await wait(POLL_MS)) {
    const owner = read(path);
    if (owner === undefined) continue;
    if (Date.now() > deadline)
      throw new Error(`Process ${pidOf(owner)} still holds ${path}; end it, or remove the file.`);
    if (isDead(owner)) {
      breakLock(path, owner);
    } else if (!told) {
      say(`waiting for process ${pidOf(owner)}, which is preparing the same folder`);
      told = true;
    }
  }
  try {
    return await work();
  } finally {
    if (read(path) === own) rmSync(path, { force: true });
  }
}

/**
 * A link of a finished file, so that nobody ever sees a lock without its owner.
 * @param {string} path
 * @param {string} own
 */
function take(path, own) {
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, own);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

/**
 * Removes the lock of a dead owner. Only one process may break a given lock: were there two, the second could remove the
 * lock that somebody took after the first.
 * @param {string} path
 * @param {string} owner
 */
function breakLock(path, owner) {
  const breaker = `${path}.${owner.split(' ')[1] ?? 'unreadable'}`;
  if (!take(breaker, String(process.pid))) return;
  if (read(path) === owner) rmSync(path);
  rmSync(breaker);
}

/** @param {string} path @returns {string | undefined} */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @param {string} owner */
function pidOf(owner) {
  return Number(owner.split(' ')[0]);
}

/** @param {string} owner */
function isDead(owner) {
  try {
    process.kill(pidOf(owner), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
