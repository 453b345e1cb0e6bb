import test from 'ava';
import { UpdateServiceCapabilitiesRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { BackupServices } from '#src/scheduler/backup-services.js';
import { updateServiceCapabilities } from '#src/scheduler/handlers/update-service-capabilities.js';
import type { CapabilityReport } from '#src/scheduler/report.js';
import { describeToOperator } from '#src/scheduler/refusal.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { MAX_PARTS, MAX_POOLS_PER_PART, ReportParts } from '#src/scheduler/report-parts.js';
import { decisionMaker } from './deciding.js';

const SANE = { total_capacity_gb: 100, free_capacity_gb: 50, allocated_capacity_gb: 50, provisioned_capacity_gb: 50 };

for (const [key, values] of Object.entries({
  total_capacity_gb: ['plenty', '', null, NaN, Infinity, [], {}, 'Infinite'],
  free_capacity_gb: ['50', 'Unknown', NaN, -Infinity, [50]],
  allocated_capacity_gb: ['0', null, NaN, { gib: 1 }],
  provisioned_capacity_gb: ['0', null, Infinity],
  reserved_percentage: ['ten', null, NaN],
  max_over_subscription_ratio: ['lots', ['2']],
  pool_name: ['', null, 7, ['p']],
})) {
  for (const value of values) {
    test(`a report with ${key} ${shown(value)} is refused by its name, and decisions go on with what was known`, (t) => {
      const { pools, place } = two();
      const pool = { ...SANE, pool_name: 'p', thin_provisioning_support: true, [key]: value };

      const error = t.throws(() => pools.report(report({ pools: [{ ...SANE, pool_name: 'q' }, pool] })));
      t.like(error, { name: 'InvalidInput' });
      t.true(error.message.includes(`capabilities.pools[1].${key}`), error.message);
      t.is(place(40), 'sane@b#p');
      t.is(place(40), 'odd@b#p', 'its pool as it was');
      t.regex(place(40), /CapacityFilter rejected 2 of 2/);
    });
  }
}

for (const total_capacity_gb of [1e308, '1e308']) {
  test(`a report that reserves more than a number can say, of ${shown(total_capacity_gb)}, is refused, and decisions go on`, (t) => {
    const { pools, place } = two();
    const pool = { ...SANE, pool_name: 'p', total_capacity_gb, reserved_percentage: 1e5 };
    const error = t.throws(() => pools.report(report({ pools: [pool] })));
    t.true(error.message.includes('capabilities.pools[0].reserved_percentage'), error.message);
    t.is(place(40), 'sane@b#p');
  });
}

for (const [what, figures] of Object.entries({
  'a negative size': { total_capacity_gb: -100 },
  'no size at all': { total_capacity_gb: 0 },
  'less than nothing free': { free_capacity_gb: -1 },
  'nothing said of what is free': { free_capacity_gb: null },
  'more provisioned than there is': { provisioned_capacity_gb: 1e300 },
  'all of it reserved': { reserved_percentage: 100 },
  'a ratio that is no number': { max_over_subscription_ratio: 'nan', thin_provisioning_support: true },
  'a ratio below one': { max_over_subscription_ratio: -20, thin_provisioning_support: true },
  'no measure, and a part of it reserved': { total_capacity_gb: 'unknown', reserved_percentage: 5 },
})) {
  test(`a pool with ${what} is passed over; others take the volume`, (t) => {
    const { pools, place } = two();
    t.true(pools.report(report({ pools: [{ ...SANE, pool_name: 'p', ...figures }] })));
    t.is(place(1), 'sane@b#p');
    t.is(place(0), 'sane@b#p', 'a request for nothing passes both, and the sane one has more room');
  });
}

test('a name that JavaScript has a meaning for is a name, and reaches nothing else', (t) => {
  const { pools, place } = two();
  const names = ['__proto__', 'constructor', 'toString', 'p#q', '<script>'];
  const odd = names.map((pool_name) => ({ ...SANE, pool_name, free_capacity_gb: 60, provisioned_capacity_gb: 30 }));
  // the key itself, as the wire and as JSON give it
  const sent = JSON.parse(
    '{"__proto__": {"free_capacity_gb": 1000000, "thin_provisioning_support": true}, "constructor": 1}',
  ) as ValueMap;
  const request = UpdateServiceCapabilitiesRequest.fromPartial({ capabilities: { ...sent, pools: odd } });
  const decoded = UpdateServiceCapabilitiesRequest.decode(UpdateServiceCapabilitiesRequest.encode(request).finish());
  for (const capabilities of [
    decoded.capabilities ?? {},
    { ...sent, pools: odd.map((pool) => ({ ...pool, ...sent })) },
  ]) {
    t.true(pools.report({ ...report({}), capabilities }));
    t.deepEqual(
      pools.list().map(({ backendId }) => backendId),
      ['sane@b#p', ...names.map((name) => `odd@b#${name}`)],
    );
    t.regex(place(61), /CapacityFilter rejected 6 of 6/, 'nothing is inherited from what a report calls __proto__');
  }
  t.is(place(60), 'odd@b#__proto__');
  t.false('free_capacity_gb' in {});
});

test('a report that is refused ends no claims, and one that is taken does', async (t) => {
  const { pools } = two();
  const folded: CapabilityReport[] = [];
  const take = updateServiceCapabilities({
    ...{ pools, backups: new BackupServices(), now: () => 3, onReport: () => undefined },
    reportParts: new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 10, now: () => 3 }),
    claims: { fold: (report) => Promise.resolve(void folded.push(report)) },
  });
  const told = (free: unknown): Promise<unknown> => {
    const capabilities = { pools: [{ ...SANE, pool_name: 'p', free_capacity_gb: free }] };
    const includedClaims = [{ volumeId: 'v', epoch: 1, pool: 'p' }];
    const request = { serviceName: 'volume', host: 'odd@b', capabilities, includedClaims };
    return take(UpdateServiceCapabilitiesRequest.fromPartial(request), {} as Parameters<typeof take>[1]);
  };
  await t.throwsAsync(told('plenty'), { name: 'InvalidInput' });
  t.is(folded.length, 0);
  await told(49);
  t.is(folded.length, 1);
});

for (const knowsParts of [true, false]) {
  const kept = knowsParts ? 'joins them' : 'keeps the pools of the part that came last, until the next report';
  test(`of a report in parts a scheduler that knows ${knowsParts ? 'parts' : 'none'} ${kept}`, async (t) => {
    const { pools } = two();
    const take = updateServiceCapabilities({
      ...{ pools, backups: new BackupServices(), now: () => 3, onReport: () => undefined },
      reportParts: new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 10, now: () => 3 }),
    });
    const told = async (part: number, name: string, seconds = 2): Promise<void> => {
      const request = UpdateServiceCapabilitiesRequest.fromPartial({
        ...{ serviceName: 'volume', host: 'odd@b', timestamp: new Date(seconds) },
        capabilities: { pools: [{ ...SANE, pool_name: name }] },
        // what a peer of other protos reads is the rest
        ...(knowsParts && { reportId: `report-${seconds}`, part, partCount: 2 }),
      });
      await take(request, {} as Parameters<typeof take>[1]);
    };
    const odd = (): readonly string[] =>
      pools.list().flatMap(({ backendId }) => (backendId.startsWith('odd@b') ? [backendId] : []));
    await told(1, 'second');
    await told(0, 'first');
    t.deepEqual(odd(), knowsParts ? ['odd@b#first', 'odd@b#second'] : ['odd@b#first']);
    await told(0, 'first', 3);
    await told(1, 'second', 3);
    t.deepEqual(odd(), knowsParts ? ['odd@b#first', 'odd@b#second'] : ['odd@b#second']);
  });
}

test('a pool that is listed twice is one, as it is listed last', (t) => {
  const { pools } = two();
  pools.report(
    report({ pools: [SANE, { ...SANE, free_capacity_gb: 7 }].map((pool) => ({ ...pool, pool_name: 'p' })) }),
  );
  t.deepEqual(
    pools.list().map(({ backendId, freeCapacityGb }) => [backendId, freeCapacityGb]),
    [
      ['sane@b#p', 50],
      ['odd@b#p', 7],
    ],
  );
});

test('a clock that is hours ahead is its own backend’s trouble alone', (t) => {
  const { pools, place } = two();
  const pool = { ...SANE, pool_name: 'p', free_capacity_gb: 90, provisioned_capacity_gb: 0 };
  t.true(pools.report(report({ timestamp: 7_200_000, pools: [pool] })));
  t.is(place(60), 'odd@b#p');
  t.is(place(60), 'odd@b#p', 'as in Cinder, a report from the future overrules what was placed since');
  t.false(pools.report(report({ timestamp: 3, pools: [] })), 'and the right time is the past to it');
  t.is(pools.find('sane@b#p')?.freeCapacityGb, 50);
});

test('a report of no time at all is refused, and a pool’s own is not read', (t) => {
  const { pools, place } = two();
  t.throws(() => pools.report(report({ timestamp: NaN, pools: [] })), { name: 'InvalidInput', message: /timestamp/ });
  t.true(pools.report(report({ pools: [{ ...SANE, pool_name: 'p', free_capacity_gb: 60, timestamp: NaN }] })));
  t.is(place(1), 'sane@b#p');
  t.like(pools.find('odd@b#p'), { reportedAt: 3, freeCapacityGb: 60 });
});

test('a report without a list, with an empty one and with something else has the pools that Cinder makes of it', (t) => {
  const made = (pools: unknown): readonly string[] => {
    const maker = two();
    maker.pools.report({ ...report({}), capabilities: { ...SANE, volume_backend_name: 'b', pools } as ValueMap });
    return maker.pools.list().map(({ backendId }) => backendId);
  };
  t.deepEqual(made(null), ['sane@b#p', 'odd@b#b']);
  for (const pools of [[], 'p', 7, {}]) t.deepEqual(made(pools), ['sane@b#p'], JSON.stringify(pools));
});

test('a hundred thousand pools in parts are one report; a part more is refused', (t) => {
  const { pools, place } = two();
  const parts = new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 10, now: () => 0 });
  const part = (number: number) => ({
    ...{ reportId: 'r', part: number, partCount: MAX_PARTS },
    ...report({
      pools: Array.from({ length: MAX_POOLS_PER_PART }, (_, index) => {
        return { pool_name: `p${number * MAX_POOLS_PER_PART + index}`, total_capacity_gb: 10, free_capacity_gb: 10 };
      }),
    }),
  });

  const wholes = Array.from({ length: MAX_PARTS }, (_, number) => parts.add(part(number)));
  const [whole] = wholes.filter((report) => report !== undefined);
  t.true(whole !== undefined && pools.report(whole));
  t.is(pools.list().length, 1 + 100_000);
  t.is(place(20), 'sane@b#p', 'of more than any other pool has');
  t.is(place(10), 'sane@b#p');
  t.is(place(10), 'sane@b#p');
  t.is(place(10), 'sane@b#p', 'the first of equals');
  t.is(place(10), 'odd@b#p0');
  t.throws(() => parts.add({ ...part(0), partCount: MAX_PARTS + 1 }), { name: 'InvalidInput' });
});

/** Two backends, `sane@b` and `odd@b`, each with a sane pool `p`. */
function two() {
  const { pools, scheduler } = decisionMaker({ 'sane@b': SANE, 'odd@b': SANE });
  return {
    pools,
    /** Where a volume of so many GiB is placed, or why it is not. */
    place: (sizeGib: number): string => {
      const volumeProperties = { sizeGib, metadata: new Map(), qosSpecs: new Map(), multiattach: false };
      const spec = { volumeId: 'v', volumeProperties, availabilityZones: [] };
      const choice = scheduler.choose(scheduler.begin(spec, { schedulerHints: new Map() }));
      return 'placement' in choice ? choice.placement.backendId : describeToOperator(choice.refusal);
    },
  };
}

function report({ timestamp = 3, pools }: { timestamp?: number; pools?: readonly object[] }) {
  return { host: 'odd@b', clusterName: null, timestamp, capabilities: { pools } as ValueMap };
}

function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
