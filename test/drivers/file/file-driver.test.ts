import test, { type ExecutionContext } from 'ava';
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileDriver, type PoolOptions } from '#src/drivers/file/file-driver.js';
import { Fault } from '#src/errors/fault.js';
import type { NewVolume, Work } from '#src/drivers/driver.js';
import { boundAt, mountTest, smallDeviceAt } from '../../support/mounts.js';
import { driverSuite } from '../driver-suite.js';
import { folderFor } from '../../support/folder.js';

const QUIET: Work = { signal: new AbortController().signal, onProgress: () => undefined };
const paths = new WeakMap<object, string>();

driverSuite('file', {
  pool: 'pool',
  make: async (t, roomGib) => {
    const path = await folderFor(t);
    const again = () => driverAt(t, path, [{ name: 'pool', capacityGib: roomGib, maxOverSubscriptionRatio: 1 }]);
    return { driver: again(), again };
  },
  read: async (driver, id, at, bytes) => {
    const file = await open(fileOf(driver, id), 'r');
    try {
      return (await file.read(Buffer.alloc(bytes), 0, bytes, at)).buffer;
    } finally {
      await file.close();
    }
  },
  write: (driver, id, at, content) => writeAt(fileOf(driver, id), at, content),
});

function fileOf(driver: object, id: string): string {
  return join(paths.get(driver) ?? '', 'pool', `volume-${id}`);
}

async function writeAt(path: string, at: number, content: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(content, 0, content.length, at);
  } finally {
    await file.close();
  }
}

test('a volume takes no space until it is written to', async (t) => {
  const { path, driver } = await started(t);
  const made = volume({ sizeGib: 50 });
  await driver.createVolume(made, QUIET);

  const { size, blocks, mode } = await stat(join(path, 'pool', `volume-${made.id}`));
  t.is(size, 50 * 2 ** 30);
  t.is(blocks, 0);
  t.is(mode & 0o777, 0o600);
});

test('a link that waits under the name of a volume is refused, and what it points to is not touched', async (t) => {
  const { path, driver } = await started(t);
  const made = volume();
  const victim = join(path, 'victim');
  await writeFile(victim, 'precious');
  await symlink(victim, join(path, 'pool', `volume-${made.id}`));

  const error = await t.throwsAsync(driver.createVolume(made, QUIET));

  t.true(Fault.is(error, 'VolumeBackendAPIException'));
  t.is((await stat(victim)).size, 'precious'.length);
});

test('a zombie with an old epoch changes neither the volume nor what its successor has half-made', async (t) => {
  const { path, driver } = await started(t);
  const mine = volume({ epoch: 5 });
  await writeFile(join(path, 'pool', `.volume-${mine.id}.6`), '');
  await driver.createVolume(mine, QUIET); // the zombie is first: its file is whole, so it is the volume

  await driver.createVolume({ ...mine, epoch: 7 }, QUIET);

  t.deepEqual((await readdir(join(path, 'pool'))).sort(), [`.volume-${mine.id}.6`, `volume-${mine.id}`]);
});

test('an owner who goes on removes what the owner before it had half-made', async (t) => {
  const { path, driver } = await started(t);
  const mine = volume({ epoch: 6, resumed: true });
  await writeFile(join(path, 'pool', `.volume-${mine.id}.5`), 'half');

  await driver.createVolume(mine, QUIET);

  t.deepEqual(await readdir(join(path, 'pool')), [`volume-${mine.id}`]);
});

test('the start finds volumes and half-made ones, and overlooks what is not ours', async (t) => {
  const path = await folderFor(t);
  const whole = randomUUID();
  const half = randomUUID();
  await mkdir(join(path, 'pool'));
  await writeFile(join(path, 'pool', `volume-${whole}`), 'abc');
  await writeFile(join(path, 'pool', `.volume-${half}.12`), '');
  for (const name of ['lost+found', 'volume-x', `volume-${half}.bak`, `.volume-${half}.0`, `.volume-${half}`]) {
    await writeFile(join(path, 'pool', name), '');
  }

  const stored = await driverAt(t, path).start(QUIET.signal);

  t.deepEqual(
    stored.toSorted((a, b) => a.kind.localeCompare(b.kind)),
    [
      { kind: 'complete', id: whole, pool: 'pool', sizeBytes: 3 },
      { kind: 'half-made', id: half, pool: 'pool', epoch: 12 },
    ],
  );
});

test('what has the name of a volume, or of a half-made one, and is no file neither keeps a pool from starting nor takes its room', async (t) => {
  const path = await folderFor(t);
  const [folder, link] = [randomUUID(), randomUUID()];
  await mkdir(join(path, 'pool', `.volume-${randomUUID()}.1`), { recursive: true });
  await mkdir(join(path, 'pool', `volume-${folder}`));
  await symlink('/nowhere', join(path, 'pool', `volume-${link}`));
  const driver = driverAt(t, path, [{ name: 'pool', capacityGib: 2, maxOverSubscriptionRatio: 1 }]);

  const stored = await driver.start(QUIET.signal);

  t.deepEqual(
    stored.map(({ kind, id }) => [kind, id]).toSorted(),
    [folder, link].map((id) => ['complete', id]).toSorted(),
  );
  t.like(await driver.capacity(), [{ provisionedGib: 0, volumes: new Set() }]);
  await driver.createVolume(volume({ sizeGib: 2 }), QUIET);
  await t.throwsAsync(driver.createVolume(volume(), QUIET), { message: /has promised 2\.00 GiB/ });
});

test('each pool is a folder of its own', async (t) => {
  const path = await folderFor(t);
  const driver = driverAt(t, path, [{ name: 'fast' }, { name: 'slow' }]);
  await driver.start(QUIET.signal);
  const made = volume({ pool: 'slow' });
  await driver.createVolume(made, QUIET);

  t.deepEqual(await readdir(join(path, 'slow')), [`volume-${made.id}`]);
  t.deepEqual(await readdir(join(path, 'fast')), []);
  t.deepEqual(
    (await driver.capacity()).map(({ name, provisionedGib }) => [name, provisionedGib]),
    [
      ['fast', 0],
      ['slow', 1],
    ],
  );
});

test("capacity is the file system's, within the bound of the pool", async (t) => {
  const path = await folderFor(t);
  const driver = driverAt(t, path, [{ name: 'bounded', capacityGib: 0.5, reservedPercentage: 10 }, { name: 'free' }]);
  await driver.start(QUIET.signal);

  const [bounded, free] = await driver.capacity();

  t.is(bounded?.totalGib, 0.5);
  t.is(bounded?.reservedPercentage, 10);
  t.is(bounded?.maxOverSubscriptionRatio, 20);
  t.true(free !== undefined && free.totalGib >= free.freeGib && free.freeGib > 0);
});

test('figures that cannot be read are a driver error that names the pool', async (t) => {
  const path = await folderFor(t);
  const driver = driverAt(t, path, [{ name: 'pool' }]);
  const notStarted = await t.throwsAsync(driver.capacity());
  t.true(Fault.is(notStarted, 'DriverNotInitialized'));

  await driver.start(QUIET.signal);
  await rm(join(path, 'pool'), { recursive: true });
  const error = await t.throwsAsync(driver.capacity(), { message: /pool 'pool': the file system answered ENOENT/ });
  t.true(Fault.is(error, 'VolumeBackendAPIException'));
});

test('a reserved share of a pool is never promised', async (t) => {
  const path = await folderFor(t);
  const limits = { capacityGib: 10, reservedPercentage: 20, maxOverSubscriptionRatio: 1 };
  const driver = driverAt(t, path, [{ name: 'pool', ...limits }]);
  await driver.start(QUIET.signal);

  await driver.createVolume(volume({ sizeGib: 8 }), QUIET);
  await t.throwsAsync(driver.createVolume(volume(), QUIET), { message: /no room for 1 GiB/ });
});

mountTest('a full device is a driver error that lets another backend try, and leaves nothing', async (t) => {
  const path = await folderFor(t);
  await smallDeviceAt(t, join(path, 'pool'), 'nr_inodes=3,size=1m'); // its root, the volume, and one name more
  const driver = driverAt(t, path, [{ name: 'pool', maxOverSubscriptionRatio: 1e6 }]);
  await driver.start(QUIET.signal);
  await driver.createVolume(volume(), QUIET);

  const error = await t.throwsAsync(driver.createVolume(volume(), QUIET));

  t.true(Fault.is(error, 'VolumeBackendAPIException') && error.reschedulable);
  t.regex(error.message, /no space is left/);
  t.is((await readdir(join(path, 'pool'))).length, 1);
});

mountTest('a pool that is read-only, or below whose folder another one shows, cannot be used any more', async (t) => {
  const { path, driver } = await started(t);
  await driver.createVolume(volume(), QUIET);
  await t.notThrowsAsync(driver.check());
  await driver.stop();
  await rename(join(path, 'pool'), join(path, 'device'));
  const device = await boundAt(t, join(path, 'device'), join(path, 'pool'));
  await driver.start(QUIET.signal);

  device.setReadOnly(true);
  await t.throwsAsync(driver.check(), { name: 'VolumeBackendAPIException', message: /EROFS/ });
  await t.throwsAsync(driver.start(QUIET.signal), { message: /EROFS/ });
  device.setReadOnly(false);
  await driver.start(QUIET.signal);

  device.unbind();
  await t.throwsAsync(driver.check(), { message: /was its file system unmounted/ });
  await t.throwsAsync(driver.start(QUIET.signal), { message: /none of its 1 volumes is there/ });
  device.bind();
  t.is((await driver.start(QUIET.signal)).length, 1);
  await t.notThrowsAsync(driver.check());
});

for (const name of ['', '.', '..', '.hidden', 'a/b', 'a b', 'x'.repeat(65)]) {
  test(`a pool may not be named ${JSON.stringify(name.slice(0, 10))}`, async (t) => {
    t.throws(() => new FileDriver({ backend: 'h@b', path: '/nowhere', pools: [{ name }] }), { instanceOf: RangeError });
  });
}

test('two pools may not share a name', (t) => {
  const pools = [{ name: 'a' }, { name: 'a' }];
  t.throws(() => new FileDriver({ backend: 'h@b', path: '/nowhere', pools }), { instanceOf: RangeError });
});

function volume(more: Partial<NewVolume> = {}): NewVolume {
  return { id: randomUUID(), pool: 'pool', sizeGib: 1, epoch: 3, resumed: false, ...more };
}

function driverAt(t: ExecutionContext, path: string, pools: readonly PoolOptions[] = [{ name: 'pool' }]): FileDriver {
  const driver = new FileDriver({ backend: 'host@file', path, pools });
  paths.set(driver, path);
  t.teardown(() => driver.stop());
  return driver;
}

async function started(t: ExecutionContext): Promise<{ path: string; driver: FileDriver }> {
  const path = await folderFor(t);
  const driver = driverAt(t, path);
  await driver.start(QUIET.signal);
  return { path, driver };
}
