import test from 'ava';
import { CommitUnknown, RowCountMismatch, type Store, UniqueViolation } from '#src/db/store.js';
import type { VolumeDriver } from '#src/drivers/driver.js';
import { Fault } from '#src/errors/fault.js';
import { measuredDriver } from '#src/main/measured-driver.js';
import { measuredStore } from '#src/main/measured-store.js';
import { createMetrics, type Metrics } from '#src/telemetry/metrics.js';

function metricsFor(t: { teardown: (end: () => void) => void }): Metrics {
  const metrics = createMetrics({ version: '0', streaming: new Set() });
  t.teardown(() => metrics.close());
  return metrics;
}

/** A store that answers what the test says, at once. */
const storeOf = (answer: () => Promise<never[]>): Store => ({
  dialect: 'sqlite',
  apply: answer,
  read: answer,
  close: async () => undefined,
});

/** A statement that nobody looks at. */
const anything = {} as Parameters<Store['read']>[0];

test('a query is timed from before it is asked, because an embedded database answers while it is asked', async (t) => {
  const metrics = metricsFor(t);
  const store = measuredStore(
    storeOf(async () => {
      const end = performance.now() + 5;
      while (performance.now() < end);
      return [];
    }),
    metrics,
  );

  await store.read(anything);

  const { count, sum } = metrics.storage.sqlSeconds.with('read');
  t.is(count, 1);
  t.true(sum >= 0.005, String(sum));
});

test('units that fail are counted by what it means for an operator, and thrown as they are', async (t) => {
  const metrics = metricsFor(t);
  const failures: readonly (readonly [reason: string, error: Error])[] = [
    ['condition', new RowCountMismatch(0, 1, 0)],
    ['duplicate', new UniqueViolation(0)],
    ['commit_unknown', new CommitUnknown('gone')],
    ['unavailable', new Fault('DatabaseUnavailable', { reason: 'gone' })],
    ['error', new TypeError('oh')],
  ];

  for (const [reason, error] of failures) {
    const store = measuredStore(
      storeOf(() => Promise.reject(error)),
      metrics,
    );
    t.is(await t.throwsAsync(store.apply([]), { any: true }), error);
    t.is(metrics.storage.sqlFailures.with('write', reason).value, 1, reason);
  }
  t.is(metrics.storage.sqlSeconds.with('write').count, failures.length);
});

test('a driver stays what it is, private parts included, and its operations are timed and counted', async (t) => {
  class Driver {
    readonly #made: string[] = [];
    get made(): readonly string[] {
      return this.#made;
    }
    async createVolume({ id }: { readonly id: string }): Promise<void> {
      this.#made.push(id);
    }
    async deleteVolume(): Promise<void> {
      throw new Fault('VolumeBackendAPIException', { reason: 'full' });
    }
  }
  const metrics = metricsFor(t);
  const driver = measuredDriver(new Driver() as unknown as VolumeDriver, 'file', metrics) as unknown as Driver;

  await driver.createVolume({ id: 'a' });
  await t.throwsAsync(driver.deleteVolume(), { name: 'VolumeBackendAPIException' });

  t.deepEqual(driver.made, ['a']);
  t.is(metrics.storage.driverSeconds.with('file', 'create_volume').count, 1);
  t.is(metrics.storage.driverSeconds.with('file', 'delete_volume').count, 1);
  t.is(metrics.storage.driverFailures.with('file', 'create_volume').value, 0);
  t.is(metrics.storage.driverFailures.with('file', 'delete_volume').value, 1);
});
