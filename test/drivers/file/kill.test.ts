import test, { type ExecutionContext } from 'ava';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GIB, type NewVolume, type Work } from '#src/drivers/driver.js';
import { FileDriver } from '#src/drivers/file/file-driver.js';
import { gatedCopy, processGone } from '../../support/programs.js';
import { folderFor } from '../../support/folder.js';

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

/** open of the source, copyFile, open, (cp and sync), ftruncate, fsync, two closes, link, fsync of the folder, unlink. */
const CLONE_STEPS = 10;

for (let nth = 1; nth <= CLONE_STEPS; nth += 1) {
  test(`killed before step ${nth} of ${CLONE_STEPS}, a clone is not there or whole, and is made by the next owner`, async (t) => {
    const { folder, source, clone, content } = await withSource(t);
    const args = [folder, JSON.stringify(clone), String(nth), JSON.stringify(source)];
    t.is(await run(t, 'killed-creation.js', args), 'SIGKILL');
    const whole = (await readdir(join(folder, 'pool'))).includes(`volume-${clone.id}`);
    t.is(whole, nth > 8, 'whole from the link on');
    if (whole) t.true((await firstBytes(folder, clone)).equals(content));

    await redone(t, folder, clone, source);
    t.true((await firstBytes(folder, clone)).equals(content));
  });
}

test('a clone has no more steps than those it is killed before', async (t) => {
  const { folder, source, clone } = await withSource(t);
  const args = [folder, JSON.stringify(clone), String(CLONE_STEPS + 1), JSON.stringify(source)];
  t.is(await run(t, 'killed-creation.js', args), 0);
});

test('killed in the middle of a copy, the process takes the copying program with it, and the next owner makes the clone', async (t) => {
  const gate = await gatedCopy(t);
  const { folder, source, clone, content } = await withSource(t);
  const args = [folder, JSON.stringify(clone), '1000', JSON.stringify(source), gate.path];
  const child = start(t, 'killed-creation.js', args);
  const pid = await gate.begun();
  t.deepEqual(
    (await readdir(join(folder, 'pool'))).sort(),
    [`.volume-${clone.id}.${clone.epoch}`, `volume-${source.id}`].sort(),
  );

  child.kill('SIGKILL');
  await once(child, 'exit');

  await processGone(pid);
  await redone(t, folder, clone, source);
  t.true((await firstBytes(folder, clone)).equals(content));
});

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

interface Sourced {
  readonly folder: string;
  readonly source: NewVolume;
  readonly clone: NewVolume;
  /** The first bytes of the source. */
  readonly content: Buffer;
}

async function withSource(t: ExecutionContext): Promise<Sourced> {
  const folder = await folderFor(t);
  const [source, clone] = [1, 2].map((sizeGib): NewVolume => ({
    id: randomUUID(),
    pool: 'pool',
    sizeGib,
    epoch: 3,
    resumed: false,
  })) as [NewVolume, NewVolume];
  const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }] });
  await driver.start(QUIET.signal);
  await driver.createVolume(source, QUIET);
  await driver.stop();
  const content = randomBytes(CONTENT_BYTES);
  const file = await open(join(folder, 'pool', `volume-${source.id}`), 'r+');
  await file.write(content, 0, content.length, 0);
  await file.close();
  return { folder, source, clone, content };
}

const CONTENT_BYTES = 100_000;

async function firstBytes(folder: string, { id }: NewVolume): Promise<Buffer> {
  const file = await open(join(folder, 'pool', `volume-${id}`), 'r');
  try {
    return (await file.read(Buffer.alloc(CONTENT_BYTES), 0, CONTENT_BYTES, 0)).buffer;
  } finally {
    await file.close();
  }
}

/** The next owner goes on: two volumes are there then, and nothing else. */
async function redone(t: ExecutionContext, folder: string, clone: NewVolume, source: NewVolume): Promise<void> {
  const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }] });
  t.teardown(() => driver.stop());
  await driver.start(QUIET.signal);
  await driver.createClonedVolume({ ...clone, epoch: clone.epoch + 1, resumed: true }, source, QUIET);
  t.deepEqual((await readdir(join(folder, 'pool'))).sort(), [`volume-${clone.id}`, `volume-${source.id}`].sort());
  t.is((await driver.capacity())[0]?.provisionedGib, clone.sizeGib + source.sizeGib);
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
