import test, { type ExecutionContext } from 'ava';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GIB, type NewVolume, type Work } from '#src/drivers/driver.js';
import { FileDriver } from '#src/drivers/file/file-driver.js';

const QUIET: Work = { signal: new AbortController().signal, onProgress: () => undefined };

/** open, ftruncate, fsync, close, link, fsync of the folder, unlink. */
const STEPS = 7;

for (let nth = 1; nth <= STEPS; nth += 1) {
  test(`killed before step ${nth} of ${STEPS}, a creation leaves nothing final or the whole volume`, async (t) => {
    const folder = await folderFor(t);
    const volume: NewVolume = { id: randomUUID(), pool: 'pool', sizeGib: 1, epoch: 3, resumed: false };
    t.is(await run(t, 'killed-creation.js', [folder, JSON.stringify(volume), String(nth)]), 'SIGKILL');

    const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }] });
    t.teardown(() => driver.stop());
    const stored = await driver.start(QUIET.signal);

    for (const found of stored) t.true(found.kind === 'half-made' || found.sizeBytes === GIB);
    t.is(
      stored.some(({ kind }) => kind === 'complete'),
      nth > 5,
      'whole from the link on',
    );
    await driver.createVolume({ ...volume, epoch: 4, resumed: true }, QUIET);
    t.deepEqual(await readdir(join(folder, 'pool')), [`volume-${volume.id}`]);
  });
}

test('a creation has no more steps than those it is killed before', async (t) => {
  const folder = await folderFor(t);
  const volume: NewVolume = { id: randomUUID(), pool: 'pool', sizeGib: 1, epoch: 3, resumed: false };
  t.is(await run(t, 'killed-creation.js', [folder, JSON.stringify(volume), String(STEPS + 1)]), 0);
});

test('a folder belongs to one process, and is free again when that is killed', async (t) => {
  const folder = await folderFor(t);
  const holder = await holding(t, folder);
  const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }] });
  t.teardown(() => driver.stop());

  await t.throwsAsync(driver.start(QUIET.signal), { name: 'FolderInUse', message: /in use by another process/ });
  holder.kill('SIGKILL');
  await once(holder, 'exit');

  await t.notThrowsAsync(driver.start(QUIET.signal));
});

test('two drivers of one process may not share a folder either', async (t) => {
  const folder = await folderFor(t);
  const [first, second] = [0, 1].map(
    () => new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }] }),
  ) as [FileDriver, FileDriver];
  t.teardown(() => Promise.all([first.stop(), second.stop()]));
  await first.start(QUIET.signal);

  await t.throwsAsync(second.start(QUIET.signal), { name: 'FolderInUse' });
  await first.stop();
  await t.notThrowsAsync(second.start(QUIET.signal));
});

async function folderFor(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'file-driver-kill-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a script of this folder to its end. Answers its exit code, or the signal that killed it. */
async function run(t: ExecutionContext, script: string, args: readonly string[]): Promise<number | string | null> {
  const child = start(t, script, args);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return signal ?? code;
}

/** A process that holds the lock of a folder. */
async function holding(t: ExecutionContext, folder: string): Promise<ChildProcess> {
  const child = start(t, 'lock-holder.js', [folder]);
  await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  return child;
}

function start(t: ExecutionContext, script: string, args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}
