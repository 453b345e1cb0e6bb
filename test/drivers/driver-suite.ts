import test, { type ExecutionContext } from 'ava';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  GIB,
  type NewVolume,
  type StoredVolume,
  type VolumeDriver,
  type VolumePlace,
  type Work,
} from '#src/drivers/driver.js';
import { Fault } from '#src/errors/fault.js';

/** What the suite must know of a driver that it cannot ask it. */
export interface DriverUnderTest {
  /** A driver, not started, with one pool that may promise `roomGib` in all. `again`: on the same storage. */
  readonly make: (t: ExecutionContext, roomGib: number) => Promise<{ driver: VolumeDriver; again: () => VolumeDriver }>;
  readonly pool: string;
  /** `bytes` bytes of a volume from `at` on. */
  readonly read: (driver: VolumeDriver, id: string, at: number, bytes: number) => Promise<Buffer>;
  /** Changes a volume as its user does. */
  readonly write: (driver: VolumeDriver, id: string, at: number, content: Buffer) => Promise<void>;
}

const QUIET: Work = { signal: new AbortController().signal, onProgress: () => undefined };

const BLOCK = 4_096;
/** Where the source of a clone has data. */
const PLACES = [0, GIB / 2, GIB - BLOCK];

/** A block that begins as a qcow2 image does whose backing file is `path`. */
function qcow2Header(path: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write('QFI\u00fb', 0, 'latin1');
  block.writeUInt32BE(3, 4); // version
  block.writeBigUInt64BE(512n, 8); // offset of the backing file's name
  block.writeUInt32BE(path.length, 16);
  block.writeUInt32BE(16, 20); // cluster bits
  block.writeBigUInt64BE(BigInt(GIB), 24);
  block.write(path, 512);
  return block;
}

async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const page of pages) list.push(...page);
  return list;
}

/** What every driver must do. Titles begin with the driver's name. */
export function driverSuite(name: string, { make, pool, read, write }: DriverUnderTest): void {
  const volume = (more: Partial<NewVolume> = {}): NewVolume => ({
    id: randomUUID(),
    pool,
    sizeGib: 1,
    epoch: 3,
    resumed: false,
    ...more,
  });

  const started = async (t: ExecutionContext, roomGib = 100) => {
    const { driver, again } = await make(t, roomGib);
    await driver.start(QUIET.signal);
    return { driver, again };
  };

  /** A source of 1 GiB with data at its start, in its middle and at its end. */
  const source = async (driver: VolumeDriver, content: (at: number) => Buffer = () => randomBytes(BLOCK)) => {
    const first = volume();
    await driver.createVolume(first, QUIET);
    const data = new Map(PLACES.map((at) => [at, content(at)]));
    for (const [at, block] of data) await write(driver, first.id, at, block);
    return { first, data };
  };

  const holds = async (t: ExecutionContext, driver: VolumeDriver, id: string, data: ReadonlyMap<number, Buffer>) => {
    for (const [at, block] of data)
      t.true((await read(driver, id, at, BLOCK)).equals(block), `block at ${at} of ${id}`);
    t.deepEqual(await read(driver, id, GIB / 4, BLOCK), Buffer.alloc(BLOCK));
  };

  /** What a new process finds. */
  const found = async (driver: VolumeDriver, again: () => VolumeDriver): Promise<readonly StoredVolume[]> => {
    await driver.stop();
    const next = again();
    const stored = await next.start(QUIET.signal);
    await next.stop();
    return stored;
  };

  test(`${name}: a new volume has its size, reads as zeros and is there after a restart`, async (t) => {
    const { driver, again } = await started(t);
    const { id, ...rest } = volume({ sizeGib: 2 });
    const progress: number[] = [];

    await driver.createVolume({ id, ...rest }, { ...QUIET, onProgress: (percent) => progress.push(percent) });

    t.deepEqual(await read(driver, id, 0, 4_096), Buffer.alloc(4_096));
    t.is(progress.at(-1), 100);
    t.deepEqual(await found(driver, again), [{ kind: 'complete', id, pool, sizeBytes: 2 * GIB }]);
  });

  test(`${name}: creating a volume again, by whatever owner, changes nothing`, async (t) => {
    const { driver, again } = await started(t);
    const first = volume();
    await driver.createVolume(first, QUIET);
    const [before] = await driver.capacity();

    await driver.createVolume({ ...first, epoch: 4 }, QUIET);
    await driver.createVolume({ ...first, epoch: 5, resumed: true }, QUIET);

    const [after] = await driver.capacity();
    t.is(after?.provisionedGib, before?.provisionedGib);
    t.deepEqual(after?.volumes, new Set([first.id]), 'of which volumes the sum is');
    t.is((await found(driver, again)).length, 1);
  });

  test(`${name}: a volume of another size under the same name is refused and left as it is`, async (t) => {
    const { driver, again } = await started(t);
    const first = volume();
    await driver.createVolume(first, QUIET);

    const error = await t.throwsAsync(driver.createVolume({ ...first, sizeGib: 2, epoch: 4 }, QUIET));

    t.true(Fault.is(error, 'VolumeBackendAPIException'));
    t.deepEqual(await found(driver, again), [{ kind: 'complete', id: first.id, pool, sizeBytes: GIB }]);
  });

  test(`${name}: deleting a volume is done for good, and done when repeated`, async (t) => {
    const { driver, again } = await started(t);
    const first = volume();
    await driver.createVolume(first, QUIET);

    await driver.deleteVolume(first, QUIET);
    await driver.deleteVolume(first, QUIET);

    t.like((await driver.capacity())[0], { provisionedGib: 0, volumes: new Set() });
    t.deepEqual(await found(driver, again), []);
  });

  test(`${name}: a pool that is full refuses with a fault that lets another backend try, and makes nothing`, async (t) => {
    const { driver, again } = await started(t, 3);
    await driver.createVolume(volume({ sizeGib: 2 }), QUIET);

    const error = await t.throwsAsync(driver.createVolume(volume({ sizeGib: 2 }), QUIET));

    t.true(Fault.is(error, 'VolumeBackendAPIException') && error.reschedulable);
    await t.notThrowsAsync(driver.createVolume(volume({ sizeGib: 1 }), QUIET));
    t.is((await found(driver, again)).length, 2);
  });

  test(`${name}: creations at the same time never promise more than the pool may`, async (t) => {
    const { driver, again } = await started(t, 10);

    const tries = await Promise.allSettled(Array.from({ length: 40 }, () => driver.createVolume(volume(), QUIET)));

    t.is(tries.filter(({ status }) => status === 'fulfilled').length, 10);
    t.is((await driver.capacity())[0]?.provisionedGib, 10);
    t.is((await found(driver, again)).length, 10);
  });

  test(`${name}: deleting gives room back, and a restart knows how much is promised`, async (t) => {
    const { driver, again } = await started(t, 2);
    const first = volume();
    await driver.createVolume(first, QUIET);
    await driver.createVolume(volume(), QUIET);
    await driver.stop();

    const next = again();
    t.teardown(() => next.stop());
    await next.start(QUIET.signal);
    await t.throwsAsync(next.createVolume(volume(), QUIET));
    await next.deleteVolume(first, QUIET);
    await t.notThrowsAsync(next.createVolume(volume(), QUIET));
  });

  test(`${name}: an aborted creation leaves nothing behind`, async (t) => {
    const { driver, again } = await started(t);
    const abort = new AbortController();
    const creating = driver.createVolume(volume(), { ...QUIET, signal: abort.signal });
    abort.abort();

    await t.throwsAsync(creating, { name: 'AbortError', any: true });

    t.is((await driver.capacity())[0]?.provisionedGib, 0);
    t.deepEqual(await found(driver, again), []);
  });

  test(`${name}: a clone has the content of its source and zeros beyond, and the two are apart`, async (t) => {
    const { driver, again } = await started(t);
    const { first, data } = await source(driver);
    const clone = volume({ sizeGib: 2 });
    const progress: number[] = [];

    await driver.createClonedVolume(clone, first, { ...QUIET, onProgress: (percent) => progress.push(percent) });

    await holds(t, driver, clone.id, data);
    t.deepEqual(await read(driver, clone.id, GIB, BLOCK), Buffer.alloc(BLOCK), 'right behind the source');
    t.deepEqual(await read(driver, clone.id, 2 * GIB - BLOCK, BLOCK), Buffer.alloc(BLOCK), 'at the very end');
    t.is(progress.at(-1), 100);
    t.deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    );
    await write(driver, first.id, 0, randomBytes(BLOCK));
    await holds(t, driver, clone.id, data);
    await write(driver, clone.id, GIB / 2, randomBytes(BLOCK));
    t.deepEqual(await read(driver, first.id, GIB / 2, BLOCK), data.get(GIB / 2));
    t.is((await driver.capacity())[0]?.provisionedGib, 3);
    t.deepEqual(
      (await found(driver, again)).map((stored) => stored.kind === 'complete' && stored.sizeBytes).toSorted(),
      [GIB, 2 * GIB],
    );
  });

  test(`${name}: a clone can be cloned, and outlives its source`, async (t) => {
    const { driver } = await started(t);
    const { first, data } = await source(driver);
    const [second, third] = [volume(), volume()];
    await driver.createClonedVolume(second, first, QUIET);
    await driver.deleteVolume(first, QUIET);
    await driver.createClonedVolume(third, second, QUIET);
    await driver.deleteVolume(second, QUIET);

    await holds(t, driver, third.id, data);
  });

  test(`${name}: clones of one source at the same time are all whole`, async (t) => {
    const { driver } = await started(t);
    const { first, data } = await source(driver);
    const clones = Array.from({ length: 6 }, () => volume());

    await Promise.all(clones.map((clone) => driver.createClonedVolume(clone, first, QUIET)));

    for (const { id } of clones) await holds(t, driver, id, data);
    t.is((await driver.capacity())[0]?.provisionedGib, 7);
  });

  test(`${name}: bytes that look like an image of another format are copied as they are`, async (t) => {
    const { driver } = await started(t);
    const { first, data } = await source(driver, (at) => (at === 0 ? qcow2Header('/etc/passwd') : randomBytes(BLOCK)));
    const clone = volume({ sizeGib: 2 });

    await driver.createClonedVolume(clone, first, QUIET);

    await holds(t, driver, clone.id, data);
    await holds(t, driver, first.id, data);
  });

  test(`${name}: cloning again, by whatever owner, leaves the volume that is there as it is`, async (t) => {
    const { driver, again } = await started(t);
    const { first } = await source(driver);
    const clone = volume();
    await driver.createClonedVolume(clone, first, QUIET);
    const mark = randomBytes(BLOCK);
    await write(driver, clone.id, 0, mark);

    await driver.createClonedVolume({ ...clone, epoch: 4 }, first, QUIET);
    await driver.createClonedVolume({ ...clone, epoch: 5, resumed: true }, first, QUIET);

    t.deepEqual(await read(driver, clone.id, 0, BLOCK), mark);
    t.is((await driver.capacity())[0]?.provisionedGib, 2);
    t.is((await found(driver, again)).length, 2);
  });

  test(`${name}: a source that is not there, has another size or is larger makes nothing`, async (t) => {
    const { driver, again } = await started(t);
    const { first } = await source(driver);
    const refused: readonly (readonly [sizeGib: number, from: VolumePlace])[] = [
      [1, volume()],
      [3, { ...first, sizeGib: 3 }],
      [1, { ...first, sizeGib: 2 }],
      [1, { ...first, pool: 'nowhere' }],
    ];
    for (const [sizeGib, from] of refused) {
      const error = await t.throwsAsync(driver.createClonedVolume(volume({ sizeGib }), from, QUIET));
      t.true(Fault.is(error, 'VolumeBackendAPIException'), String(error));
    }
    t.is((await driver.capacity())[0]?.provisionedGib, 1);
    t.is((await found(driver, again)).length, 1);
  });

  test(`${name}: a pool that is full refuses a clone, and makes nothing`, async (t) => {
    const { driver, again } = await started(t, 2);
    const { first } = await source(driver);

    const error = await t.throwsAsync(driver.createClonedVolume(volume({ sizeGib: 2 }), first, QUIET));

    t.true(Fault.is(error, 'VolumeBackendAPIException') && error.reschedulable);
    await t.notThrowsAsync(driver.createClonedVolume(volume(), first, QUIET));
    t.is((await found(driver, again)).length, 2);
  });

  test(`${name}: an aborted clone ends with the reason and leaves nothing behind`, async (t) => {
    const { driver, again } = await started(t);
    const { first, data } = await source(driver);
    const abort = new AbortController();
    const cloning = driver.createClonedVolume(volume(), first, { ...QUIET, signal: abort.signal });
    abort.abort(new Error('not wanted any more'));

    await t.throwsAsync(cloning, { message: 'not wanted any more' });

    await holds(t, driver, first.id, data);
    t.is((await driver.capacity())[0]?.provisionedGib, 1);
    t.is((await found(driver, again)).length, 1);
  });

  test(`${name}: what is not a volume of ours cannot be named`, async (t) => {
    const { driver } = await started(t);
    for (const id of ['../escape', 'x', '', `${randomUUID()}/..`, randomUUID().toUpperCase()]) {
      await t.throwsAsync(driver.createVolume(volume({ id }), QUIET), undefined, id);
      await t.throwsAsync(driver.deleteVolume(volume({ id }), QUIET), undefined, id);
      await t.throwsAsync(driver.createClonedVolume(volume(), volume({ id }), QUIET), undefined, id);
    }
    await t.throwsAsync(driver.createVolume(volume({ pool: '..' }), QUIET));
    t.is((await driver.capacity())[0]?.provisionedGib, 0);
  });

  test(`${name}: a driver that is not started says so`, async (t) => {
    const { driver } = await make(t, 1);
    const error = await t.throwsAsync(driver.createVolume(volume(), QUIET));
    t.true(Fault.is(error, 'DriverNotInitialized'));
  });

  test(`${name}: what is stored is listed by name while the driver works`, async (t) => {
    const { driver } = await started(t);
    const made = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const one = volume();
        await driver.createVolume(one, QUIET);
        return one.id;
      }),
    );

    const listed = await all(driver.inventory.list(QUIET.signal));

    t.deepEqual(listed.map(({ id }) => id).toSorted(), made.toSorted());
    t.true(listed.every((each) => each.kind === 'complete' && each.pool === pool));
    t.is(await driver.inventory.sizeOf({ id: made[0] ?? '', pool }), GIB);
    t.is(await driver.inventory.sizeOf({ id: randomUUID(), pool }), undefined);
    for (const nowhere of [
      { id: made[0] ?? '', pool: 'gone' },
      { id: '../escape', pool },
    ]) {
      t.is(await driver.inventory.sizeOf(nowhere), undefined);
    }
  });

  test(`${name}: a volume in quarantine keeps its data, takes no room of the pool, and is no volume any more`, async (t) => {
    const { driver, again } = await started(t, 1);
    const first = volume();
    await driver.createVolume(first, QUIET);

    t.true(await driver.inventory.quarantine(first));
    t.false(await driver.inventory.quarantine(first), 'it is not there any more');

    t.deepEqual(await all(driver.inventory.list(QUIET.signal)), []);
    t.like(await all(driver.inventory.listQuarantined(QUIET.signal)), [{ id: first.id, pool }]);
    t.is((await driver.capacity())[0]?.provisionedGib, 0);
    await t.notThrowsAsync(driver.createVolume({ ...first, epoch: 9 }, QUIET), 'its name is free');
    t.is((await found(driver, again)).length, 1);
  });

  test(`${name}: volumes of one name are put away beside each other, and destroyed one by one`, async (t) => {
    const { driver } = await started(t, 1);
    const first = volume();
    for (const epoch of [3, 4, 5]) {
      await driver.createVolume({ ...first, epoch }, QUIET);
      t.true(await driver.inventory.quarantine(first));
    }
    const put = await all(driver.inventory.listQuarantined(QUIET.signal));
    t.is(put.length, 3);
    for (const { since } of put) t.true(Math.abs(Date.now() - since) < 60_000);

    for (const each of put.slice(1)) {
      await driver.inventory.removeQuarantined(each);
      await driver.inventory.removeQuarantined(each);
    }
    t.deepEqual(await all(driver.inventory.listQuarantined(QUIET.signal)), put.slice(0, 1));
  });

  test(`${name}: nothing but what was put away can be destroyed, and a driver that is not started lists nothing`, async (t) => {
    const { driver } = await started(t);
    const first = volume();
    await driver.createVolume(first, QUIET);
    const bad = { ...first, since: 0, name: `../volume-${first.id}` };
    await t.throwsAsync(driver.inventory.removeQuarantined(bad));
    await t.throwsAsync(driver.inventory.quarantine({ id: '../escape', pool }));
    t.is(await driver.inventory.sizeOf(first), GIB);
    await driver.stop();
    await t.throwsAsync(all(driver.inventory.list(QUIET.signal)), { name: 'DriverNotInitialized' });
  });

  test(`${name}: stopping twice is harmless, and a stopped driver may be started again`, async (t) => {
    const { driver } = await started(t);
    await driver.stop();
    await driver.stop();
    await driver.start(QUIET.signal);
    await t.notThrowsAsync(driver.createVolume(volume(), QUIET));
  });
}
