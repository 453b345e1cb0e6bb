import test, { type ExecutionContext } from 'ava';
import { randomUUID } from 'node:crypto';
import { GIB, type NewVolume, type StoredVolume, type VolumeDriver, type Work } from '#src/drivers/driver.js';
import { Fault } from '#src/errors/fault.js';

/** What the suite must know of a driver that it cannot ask it. */
export interface DriverUnderTest {
  /** A driver, not started, with one pool that may promise `roomGib` in all. `again`: on the same storage. */
  readonly make: (t: ExecutionContext, roomGib: number) => Promise<{ driver: VolumeDriver; again: () => VolumeDriver }>;
  readonly pool: string;
  /** First `bytes` bytes of a volume. */
  readonly read: (driver: VolumeDriver, id: string, bytes: number) => Promise<Buffer>;
}

const QUIET: Work = { signal: new AbortController().signal, onProgress: () => undefined };

/** What every driver must do. Titles begin with the driver's name. */
export function driverSuite(name: string, { make, pool, read }: DriverUnderTest): void {
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

    t.deepEqual(await read(driver, id, 4_096), Buffer.alloc(4_096));
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

    t.is((await driver.capacity())[0]?.provisionedGib, before?.provisionedGib);
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

    t.is((await driver.capacity())[0]?.provisionedGib, 0);
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

  test(`${name}: what is not a volume of ours cannot be named`, async (t) => {
    const { driver } = await started(t);
    for (const id of ['../escape', 'x', '', `${randomUUID()}/..`, randomUUID().toUpperCase()]) {
      await t.throwsAsync(driver.createVolume(volume({ id }), QUIET), undefined, id);
      await t.throwsAsync(driver.deleteVolume(volume({ id }), QUIET), undefined, id);
    }
    await t.throwsAsync(driver.createVolume(volume({ pool: '..' }), QUIET));
    t.is((await driver.capacity())[0]?.provisionedGib, 0);
  });

  test(`${name}: a driver that is not started says so`, async (t) => {
    const { driver } = await make(t, 1);
    const error = await t.throwsAsync(driver.createVolume(volume(), QUIET));
    t.true(Fault.is(error, 'DriverNotInitialized'));
  });

  test(`${name}: stopping twice is harmless, and a stopped driver may be started again`, async (t) => {
    const { driver } = await started(t);
    await driver.stop();
    await driver.stop();
    await driver.start(QUIET.signal);
    await t.notThrowsAsync(driver.createVolume(volume(), QUIET));
  });
}
