import test from 'ava';
import { UpdateServiceCapabilitiesRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { BackupServices } from '#src/scheduler/backup-services.js';
import { updateServiceCapabilities } from '#src/scheduler/handlers/update-service-capabilities.js';
import { forwardClock } from '#src/scheduler/forward-clock.js';
import { OddPools } from '#src/scheduler/odd-pools.js';
import { Pools } from '#src/scheduler/pools.js';
import { ReportParts } from '#src/scheduler/report-parts.js';
import { timeOfReport } from '#src/scheduler/report-time.js';

const NOW = 1_800_000_000_000;
const MINUTES = 60_000;

const reads = test.macro({
  exec: (t, made: number | undefined, expected: ReturnType<typeof timeOfReport>) =>
    t.deepEqual(timeOfReport(made, NOW), expected),
  title: (_, made: number | undefined) =>
    `a stamp ${made === undefined ? 'that is not there' : `of ${(made - NOW) / 1_000} s from now`} is read`,
});
test(reads, undefined, { timestamp: NOW });
test(reads, NOW - 9_000, { timestamp: NOW - 9_000 });
test(reads, NOW + 10_000, { timestamp: NOW + 10_000 });
test(reads, NOW + 10_001, { timestamp: NOW, clockAheadMs: 10_001 });
test(reads, NOW - 5 * MINUTES, { timestamp: NOW, clockAheadMs: -5 * MINUTES });
test(reads, NOW + 8e9, { timestamp: NOW, clockAheadMs: 8e9 });

for (const [kind, skewMs, words] of [
  ['clock_ahead', 5 * MINUTES, "reported 300 s ahead of the scheduler's clock"],
  ['clock_behind', -5 * MINUTES, "reported 300 s behind the scheduler's clock"],
] as const) {
  test(`a backend whose clock is wrong (${kind}) is flagged, and each of its reports counts as of its arrival`, async (t) => {
    const { told, free, place, oddities, wait } = schedulerOf();

    await told(50, skewMs);
    t.is(free(), 50);
    t.deepEqual(oddities(), [{ kind, text: words }]);
    wait(1_000);
    place(20);
    t.is(free(), 30, 'what was placed since counts');
    wait(1_000);
    await told(29, skewMs);
    t.is(free(), 29, 'until the next report');
    wait(10 * MINUTES);
    t.true(
      oddities().some((oddity) => oddity.kind === 'stale'),
      'one that reports no more is stale',
    );

    await told(28, 0);
    t.is(free(), 28, 'and is believed as soon as its clock is right');
    t.deepEqual(oddities(), []);
  });
}

test('a report of this backend that comes late is still the older one', async (t) => {
  const { told, free, wait } = schedulerOf();
  wait(5_000);
  await told(50, 0);
  await told(90, -4_000);
  t.is(free(), 50);
});

test('a scheduler whose clock is set back goes on taking reports, and what was placed since counts', async (t) => {
  const { told, free, place, oddities, wait, setClockBack } = schedulerOf();
  await told(50, 0);
  setClockBack(60 * MINUTES);
  wait(1_000);
  await told(40, 0);
  t.is(free(), 40);
  t.is(oddities()[0]?.kind, 'clock_behind');
  wait(1_000);
  place(20);
  t.is(free(), 20);
  wait(1_000);
  await told(21, 0);
  t.is(free(), 21);
  wait(120 * MINUTES);
  await told(22, 0);
  t.is(free(), 22);
  t.deepEqual(oddities(), [], 'it has caught up');
});

/** A scheduler that knows one pool. */
function schedulerOf() {
  let [host, uptime] = [NOW, 0];
  const now = forwardClock({ date: () => host, uptime: () => uptime });
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now });
  pools.setServices([
    {
      id: 's',
      host: 'h@b',
      clusterName: null,
      availabilityZone: 'nova',
      disabled: false,
      frozen: false,
      up: true,
    } as never,
  ]);
  const take = updateServiceCapabilities({
    ...{ pools, backups: new BackupServices(), now, onReport: () => undefined },
    reportParts: new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 10, now }),
  });
  const odd = new OddPools({ pools, now, intervalMs: MINUTES, onNews: () => undefined });
  return {
    wait: (ms: number) => {
      host += ms;
      uptime += ms;
    },
    setClockBack: (ms: number) => void (host -= ms),
    place: (gib: number) => pools.consume('h@b#p', gib),
    free: () => pools.list()[0]?.freeCapacityGb,
    oddities: () => odd.of('h@b#p'),
    told: async (free: number, skewMs: number): Promise<void> => {
      const pool = {
        ...{ pool_name: 'p', total_capacity_gb: 100, free_capacity_gb: free },
        ...{ allocated_capacity_gb: 0, provisioned_capacity_gb: 0 },
      };
      const request = {
        serviceName: 'volume',
        host: 'h@b',
        timestamp: new Date(host + skewMs),
        capabilities: { pools: [pool] },
      };
      await take(UpdateServiceCapabilitiesRequest.fromPartial(request), {} as Parameters<typeof take>[1]);
    },
  };
}
