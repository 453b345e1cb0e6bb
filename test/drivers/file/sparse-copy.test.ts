import test, { type ExecutionContext } from 'ava';
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { NewVolume, VolumePlace, Work } from '#src/drivers/driver.js';
import { GIB } from '#src/drivers/driver.js';
import { FileDriver } from '#src/drivers/file/file-driver.js';
import { copySparse } from '#src/drivers/file/sparse-copy.js';
import { Fault } from '#src/errors/fault.js';
import { folderFor } from '../../support/folder.js';
import { findTool } from '../../support/process.js';
import { gatedCopy, processGone, programFor, SYSTEM_PATH } from '../../support/programs.js';

const QUIET: Work = { signal: new AbortController().signal, onProgress: () => undefined };
const MIB = 2 ** 20;

test('a clone takes as long and as much room as the data, not as the size: 1 TiB with 10 MiB in it', async (t) => {
  const { folder, driver, source } = await withSource(t, { sizeGib: 1_024 });
  const parts = [0, 512 * GIB + 12_345, 1_024 * GIB - 2 * MIB];
  const written = parts.map(() => randomBytes(2 * MIB));
  for (const [nth, at] of parts.entries()) await writeAt(folder, source, at, written[nth] ?? Buffer.alloc(0));
  const clone = volume({ sizeGib: 2_000 });
  const begun = performance.now();

  await driver.createClonedVolume(clone, source, QUIET);

  t.true(performance.now() - begun < 2_000, `${performance.now() - begun} ms`);
  const { size, blocks, mode } = await stat(fileOf(folder, clone));
  t.is(size, 2_000 * GIB);
  t.true(blocks * 512 < 8 * MIB, `${blocks * 512} bytes`);
  t.is(mode & 0o777, 0o600);
  for (const [nth, at] of parts.entries()) {
    t.true((await readAt(folder, clone, at, 2 * MIB)).equals(written[nth] ?? Buffer.alloc(0)));
  }
});

test('a copy that is called off in the middle ends at once, and leaves neither file nor process nor promise', async (t) => {
  const gate = await gatedCopy(t);
  const { folder, driver, source } = await withSource(t, { programPath: gate.path });
  const abort = new AbortController();
  const progress: number[] = [];
  const work = { signal: abort.signal, onProgress: (percent: number) => progress.push(percent) };
  const copying = driver.createClonedVolume(volume(), source, work);
  const pid = await gate.begun();
  t.deepEqual((await files(folder)).map((name) => name.startsWith('.')).toSorted(), [false, true]);

  const reason = new Error('not wanted any more');
  abort.abort(reason);

  t.is(await t.throwsAsync(copying), reason);
  await processGone(pid);
  t.deepEqual(await files(folder), [`volume-${source.id}`]);
  t.is((await driver.capacity())[0]?.provisionedGib, 1);
  t.is(progress[0], 0);
  t.false(progress.includes(100));
});

test('a copy says how much of the data is there, from 0 on and never less than before', async (t) => {
  const gate = await gatedCopy(t);
  const { folder, driver, source } = await withSource(t, { programPath: gate.path });
  await writeAt(folder, source, 0, randomBytes(MIB));
  const progress: number[] = [];
  const abort = new AbortController();
  let half = (): void => undefined;
  const seen = new Promise<void>((resolve) => (half = resolve));
  const onProgress = (percent: number): void => {
    progress.push(percent);
    if (percent > 0) half();
  };
  const copying = driver.createClonedVolume(volume(), source, { signal: abort.signal, onProgress });
  await seen;
  await gate.open();
  await copying;

  t.is(progress[0], 0);
  t.true(
    progress.some((percent) => percent > 0 && percent < 50),
    String(progress),
  );
  t.is(progress.at(-1), 100);
});

const FAILURES: readonly (readonly [what: string, script: string, words: RegExp])[] = [
  ['a device that is full', 'echo "cp: error writing: No space left on device" >&2; exit 1', /No space left on device/],
  ['a program that says nothing', 'exit 7', /cp ended with 7/],
  ['a program that is killed', 'kill -KILL $$', /cp ended with SIGKILL/],
];

for (const [what, script, words] of FAILURES) {
  test(`${what} in the middle of a copy is a driver error that lets another backend try`, async (t) => {
    const { path } = await programFor(t, 'cp', `head -c 4096 /dev/zero >&4; ${script}`);
    const { folder, driver, source } = await withSource(t, { programPath: path });

    const error = await t.throwsAsync(driver.createClonedVolume(volume(), source, QUIET), { message: words });

    t.true(Fault.is(error, 'VolumeBackendAPIException') && error.reschedulable);
    t.deepEqual(await files(folder), [`volume-${source.id}`]);
    t.is((await driver.capacity())[0]?.provisionedGib, 1);
  });
}

test('a machine without the program says which one is missing', async (t) => {
  const { folder, driver, source } = await withSource(t, { programPath: await folderFor(t) });
  await t.throwsAsync(driver.createClonedVolume(volume(), source, QUIET), { message: /there is no cp in/ });
  t.deepEqual(await files(folder), [`volume-${source.id}`]);
});

test('a copy that does not grow any more is given up', async (t) => {
  const gate = await gatedCopy(t);
  const folder = await folderFor(t);
  const handles = await Promise.all(['from', 'to'].map((name) => open(join(folder, name), 'w+')));
  t.teardown(() => Promise.all(handles.map((handle) => handle.close())));
  const [from = -1, to = -1] = handles.map(({ fd }) => fd);

  const error = await t.throwsAsync(copySparse(from, to, QUIET, { programPath: gate.path, stalledMs: 150 }));

  t.true(Fault.is(error, 'VolumeBackendAPIException'));
  t.regex(error.message, /nothing was written for 150 ms/);
  await processGone(await gate.begun());
});

test('the environment of this process is nobody else’s business', async (t) => {
  const { path, folder: seen } = await programFor(t, 'cp', `env >"\${0%/*}/seen"`);
  const { driver, source } = await withSource(t, { programPath: path });
  process.env['CINDER_TEST_SECRET'] = 'canary';
  t.teardown(() => delete process.env['CINDER_TEST_SECRET']);

  await driver.createClonedVolume(volume(), source, QUIET);

  const environment = await readFile(join(seen, 'seen'), 'utf8');
  t.regex(environment, /^PATH=/m);
  t.notRegex(environment, /canary/);
});

test('a source in another pool of the backend is copied too', async (t) => {
  const folder = await folderFor(t);
  const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'fast' }, { name: 'slow' }] });
  t.teardown(() => driver.stop());
  await driver.start(QUIET.signal);
  const source = volume({ pool: 'slow' });
  await driver.createVolume(source, QUIET);
  const content = randomBytes(MIB);
  await writeAt(folder, source, 0, content);
  const clone = volume({ pool: 'fast' });

  await driver.createClonedVolume(clone, source, QUIET);

  t.true((await readAt(folder, clone, 0, MIB)).equals(content));
  t.deepEqual(
    (await driver.capacity()).map(({ provisionedGib }) => provisionedGib),
    [1, 1],
  );
});

const mkfs = findTool('mkfs.xfs');
const reflinkTest = mkfs !== undefined && process.getuid?.() === 0 ? test : test.skip; // only root mounts

reflinkTest('on a file system with reflinks a clone shares its blocks: no copy, no program, no room', async (t) => {
  const base = await folderFor(t);
  await mkdir(join(base, 'pool'));
  const image = join(base, 'image');
  await (await open(image, 'w')).close();
  await truncate(image, 400 * MIB);
  execFileSync(mkfs ?? '', ['-q', '-m', 'reflink=1', image]);
  execFileSync('mount', ['-o', 'loop', image, join(base, 'pool')]);
  t.teardown(() => execFileSync('umount', ['-l', join(base, 'pool')]));
  const { driver, folder, source } = await withSource(t, { folder: base, programPath: '/nowhere' });
  const content = randomBytes(100 * MIB);
  await writeAt(folder, source, 0, content);
  const clones = Array.from({ length: 10 }, () => volume({ sizeGib: 2 })); // ten copies would not fit

  for (const clone of clones) await driver.createClonedVolume(clone, source, QUIET);

  for (const clone of clones.slice(0, 2)) t.true((await readAt(folder, clone, 0, 100 * MIB)).equals(content));
  t.deepEqual(await readAt(folder, clones[0] ?? source, GIB, MIB), Buffer.alloc(MIB));
  await writeAt(folder, source, 0, Buffer.alloc(MIB, 1));
  t.true((await readAt(folder, clones[9] ?? source, 0, MIB)).equals(content.subarray(0, MIB)));
});

interface Prepared {
  readonly folder: string;
  readonly driver: FileDriver;
  readonly source: VolumePlace;
}

/** A driver that has started, with a volume to be copied. */
async function withSource(
  t: ExecutionContext,
  options: { readonly sizeGib?: number; readonly programPath?: string; readonly folder?: string } = {},
): Promise<Prepared> {
  const { sizeGib = 1, programPath = SYSTEM_PATH, folder = await folderFor(t) } = options;
  const driver = new FileDriver({
    backend: 'host@file',
    path: folder,
    pools: [{ name: 'pool', maxOverSubscriptionRatio: 1e6 }],
    programPath,
  });
  t.teardown(() => driver.stop());
  await driver.start(QUIET.signal);
  const source = volume({ sizeGib });
  await driver.createVolume(source, QUIET);
  return { folder, driver, source };
}

function volume(more: Partial<NewVolume> = {}): NewVolume {
  return { id: randomUUID(), pool: 'pool', sizeGib: 1, epoch: 3, resumed: false, ...more };
}

const fileOf = (folder: string, { id, pool }: VolumePlace): string => join(folder, pool, `volume-${id}`);

async function files(folder: string): Promise<readonly string[]> {
  return (await readdir(join(folder, 'pool'))).sort();
}

async function writeAt(folder: string, place: VolumePlace, at: number, content: Buffer): Promise<void> {
  const file = await open(fileOf(folder, place), 'r+');
  try {
    await file.write(content, 0, content.length, at);
  } finally {
    await file.close();
  }
}

async function readAt(folder: string, place: VolumePlace, at: number, bytes: number): Promise<Buffer> {
  const file = await open(fileOf(folder, place), 'r');
  try {
    return (await file.read(Buffer.alloc(bytes), 0, bytes, at)).buffer;
  } finally {
    await file.close();
  }
}
