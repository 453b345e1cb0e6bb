import test, { type ExecutionContext } from 'ava';
import { FileDriver, type PoolOptions } from '#src/drivers/file/file-driver.js';
import type { Log } from '#src/log/log.js';
import { Backend } from '#src/volume/backend.js';
import { type CapabilityReport, POOLS_A_REPORT, reportOf } from '#src/volume/capabilities.js';
import { CapabilityReporter } from '#src/volume/capability-reporter.js';
import { sqliteStore } from '../support/sql.js';
import { folderFor } from '../support/folder.js';

const PARTS = { now: () => 1_700_000_000_000, newId: () => 'report-1' };
const ID = '33333333-3333-4333-8333-333333333333';

test("a report has what Cinder's schedulers read, with the service's own sum of allocations", async (t) => {
  const backend = await backendWith(t, [{ name: 'pool', capacityGib: 10, reservedPercentage: 5 }]);
  const volume = { id: ID, pool: 'pool', sizeGib: 2 };
  backend.allocations.add(volume, 4);
  await backend.driver.createVolume(
    { ...volume, epoch: 4, resumed: false },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
  backend.allocations.include({ volumeId: ID, epoch: 4, pool: 'pool' });

  const [report, ...others] = await reportOf(backend, PARTS);

  t.deepEqual(others, []);
  t.like(report, {
    host: 'host@file',
    timestamp: 1_700_000_000_000,
    reportId: 'report-1',
    part: 0,
    partCount: 1,
    includedClaims: [{ volumeId: ID, epoch: 4, pool: 'pool' }],
  });
  t.like(report?.capabilities, {
    volume_backend_name: 'file-name',
    vendor_name: 'Open Source',
    driver_version: '1.0.0',
    storage_protocol: 'file',
  });
  const [pool] = report?.capabilities['pools'] as Record<string, unknown>[];
  t.like(pool, {
    pool_name: 'pool',
    total_capacity_gb: 10,
    free_capacity_gb: 10,
    allocated_capacity_gb: 2,
    provisioned_capacity_gb: 2,
    reserved_percentage: 5,
    max_over_subscription_ratio: '20',
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    multiattach: false,
  });
});

test('a report of many pools is cut into parts that say where they belong', async (t) => {
  const names = Array.from({ length: POOLS_A_REPORT + 1 }, (_, index) => `pool${index}`);
  const backend = await backendWith(
    t,
    names.map((name) => ({ name })),
  );
  backend.allocations.include({ volumeId: ID, epoch: 2, pool: 'pool0' });

  const parts = await reportOf(backend, PARTS);

  t.deepEqual(
    parts.map(({ part, partCount, reportId, includedClaims }) => [part, partCount, reportId, includedClaims.length]),
    [
      [0, 2, 'report-1', 1],
      [1, 2, 'report-1', 0],
    ],
  );
  const reported = parts.flatMap(({ capabilities }) => capabilities['pools'] as { pool_name: string }[]);
  t.deepEqual(
    reported.map(({ pool_name }) => pool_name),
    names,
  );
});

test('a backend that is down reports nothing', async (t) => {
  const { backend, reporter, published } = await reporterFor(t);
  await backend.stop();
  await reporter.reportAll();
  t.deepEqual(published, []);
});

test('reports at the same time are one', async (t) => {
  const { reporter, published } = await reporterFor(t);
  await Promise.all([reporter.reportAll(), reporter.reportAll()]);
  t.is(published.length, 1);
  await reporter.reportAll();
  t.is(published.length, 2);
});

test('a report that cannot be sent is logged and repeated by the next', async (t) => {
  const { reporter, published, warnings, refuse } = await reporterFor(t);
  refuse(true);
  await reporter.reportAll();
  t.is(warnings.length, 1);
  refuse(false);
  await reporter.reportAll();
  t.is(published.length, 1);
});

test('claims that nobody has heard of are over in the next report too', async (t) => {
  const { backend, reporter, published, refuse, hear } = await reporterFor(t);
  const claim = { volumeId: ID, epoch: 4, pool: 'pool' };
  backend.allocations.include(claim);
  refuse(true);
  await reporter.reportAll();
  refuse(false);
  hear(false);
  await reporter.reportAll();
  hear(true);
  await reporter.reportAll();
  await reporter.reportAll();
  t.deepEqual(
    published.map(({ includedClaims }) => includedClaims),
    [[claim], [claim], []],
  );
});

test('a report ends the claim of a volume in the making once its figures count it, and not before', async (t) => {
  const backend = await backendWith(t, [{ name: 'pool', capacityGib: 10 }]);
  const claim = { volumeId: ID, epoch: 4, pool: 'pool' };
  const volume = { id: ID, pool: 'pool', sizeGib: 2 };
  backend.allocations.add(volume, 4);
  t.like(await onlyPart(backend), { includedClaims: [], provisioned: 0 });

  const reports: Promise<Awaited<ReturnType<typeof onlyPart>>>[] = [];
  await backend.driver.createVolume(
    { ...volume, epoch: 4, resumed: false },
    { signal: new AbortController().signal, onProgress: () => reports.push(onlyPart(backend)) },
  );
  const [making] = await Promise.all(reports);
  t.like(making, { includedClaims: [claim], provisioned: 2 });
  backend.allocations.include(claim);
  t.like(await onlyPart(backend), { includedClaims: [claim], provisioned: 2 }, 'said twice: the first may be lost');
  t.like(await onlyPart(backend), { includedClaims: [], provisioned: 2 });
});

test('what ends while the figures are read is in them, or waits for the next report', async (t) => {
  const backend = await backendWith(t, [{ name: 'pool', capacityGib: 10 }]);
  const make = async (id: string): Promise<void> => {
    const volume = { id, pool: 'pool', sizeGib: 1 };
    backend.allocations.add(volume, 4);
    await backend.driver.createVolume(
      { ...volume, epoch: 4, resumed: false },
      { signal: new AbortController().signal, onProgress: () => undefined },
    );
    backend.allocations.include({ volumeId: id, epoch: 4, pool: 'pool' });
  };
  const ids = Array.from({ length: 10 }, (_, index) => `3333333${index}-3333-4333-8333-333333333333`);
  let ended = 0;
  const making = Promise.all(ids.map((id) => make(id).then(() => (ended += 1))));
  for (const seen = new Set<string>(); seen.size < ids.length;) {
    const { includedClaims, provisioned } = await onlyPart(backend);
    for (const { volumeId } of includedClaims) seen.add(volumeId);
    t.is(provisioned, seen.size, 'each GiB is in the figures or claimed, never both');
    if (ended === ids.length && includedClaims.length === 0) break;
  }
  await making;
});

test('a report is sent when its time has come, and before when many claims wait', async (t) => {
  let uptime = 1_000;
  const { backend, reporter, published, next } = await reporterFor(t, { uptime: () => uptime });
  reporter.start();
  t.teardown(() => reporter.stop());
  await next();
  t.is(published.length, 1);

  for (let count = 0; count < 1_000; count += 1) {
    backend.allocations.include({ volumeId: `volume-${count}`, epoch: 1, pool: 'pool' });
  }
  await next();
  t.is(published.at(-1)?.includedClaims.length, 1_000);

  uptime += 60_000;
  await next();
  t.is(published.length, 3);
});

test("reports keep coming when the host's clock is set back", async (t) => {
  let [now, uptime] = [1_700_000_000_000, 1_000];
  const { reporter, published, next } = await reporterFor(t, { now: () => now, uptime: () => uptime });
  await reporter.reportAll();
  reporter.start();
  t.teardown(() => reporter.stop());

  now -= 3_600_000;
  uptime += 60_000;
  await next();

  t.deepEqual(
    published.map(({ timestamp }) => timestamp),
    [1_700_000_000_000, 1_699_996_400_000],
  );
});

async function backendWith(t: ExecutionContext, pools: readonly PoolOptions[]): Promise<Backend> {
  const folder = await folderFor(t);
  const driver = new FileDriver({ backend: 'host@file', path: folder, pools });
  const backend = new Backend({ name: 'host@file', volumeBackendName: 'file-name', driver, concurrency: 1 });
  t.teardown(() => backend.stop());
  await backend.start(await sqliteStore(t), new AbortController().signal);
  return backend;
}

/** What a backend of one pool reports of it. */
async function onlyPart(backend: Backend) {
  const [part] = await reportOf(backend, PARTS);
  const [pool] = part?.capabilities['pools'] as Record<string, unknown>[];
  return { includedClaims: part?.includedClaims ?? [], provisioned: pool?.['provisioned_capacity_gb'] };
}

/** A reporter of one backend, and what it published. */
async function reporterFor(t: ExecutionContext, parts: Partial<typeof PARTS & { uptime: () => number }> = {}) {
  const backend = await backendWith(t, [{ name: 'pool' }]);
  const published: CapabilityReport[] = [];
  const warnings: unknown[] = [];
  let refusing = false;
  let heard = true;
  let arrived: () => void = () => undefined;
  const silent = (): void => undefined;
  const log: Log = { debug: silent, info: silent, error: silent, warn: (_message, fields) => warnings.push(fields) };
  const reporter = new CapabilityReporter({
    ...{ ...PARTS, uptime: () => performance.now() },
    ...parts,
    backends: [backend],
    log,
    intervalMs: 60_000,
    publish: async (report) => {
      if (refusing) throw new Error('nobody there');
      published.push(report);
      arrived();
      return heard;
    },
  });
  const refuse = (yes: boolean): void => {
    refusing = yes;
  };
  const hear = (yes: boolean): void => {
    heard = yes;
  };
  const next = () => new Promise<void>((resolve) => (arrived = resolve));
  return { backend, reporter, published, warnings, refuse, hear, next };
}
