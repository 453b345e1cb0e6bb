import test from 'ava';
import { Pools } from '#src/scheduler/pools.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import type { VolumeService } from '#src/scheduler/volume-service.js';

const POOL = { pool_name: 'p', total_capacity_gb: 100, free_capacity_gb: 80, allocated_capacity_gb: 20 };

test('a placement takes room until a newer report says what there is', (t) => {
  const { pools, at } = poolsOf();
  pools.report(report({ timestamp: 10, pools: [POOL] }));
  pools.list();

  at(20);
  t.true(pools.consume('h@b#p', 5));
  t.like(pools.list()[0], { freeCapacityGb: 75, allocatedCapacityGb: 25, updatedAt: 20 });
  pools.report(report({ timestamp: 15, pools: [POOL] }));
  t.is(pools.list()[0]?.freeCapacityGb, 75, 'a report made before the placement does not know of it');
  pools.report(report({ timestamp: 20, pools: [{ ...POOL, free_capacity_gb: 74 }] }));
  t.is(pools.list()[0]?.freeCapacityGb, 74);
});

test('room that is given back is there at once', (t) => {
  const { pools, at } = poolsOf();
  pools.report(report({ timestamp: 10, pools: [POOL] }));
  at(20);
  pools.list();
  pools.consume('h@b#p', 5);
  pools.revert('h@b#p', 5);
  t.like(pools.list()[0], { freeCapacityGb: 80, allocatedCapacityGb: 20 });
  t.notThrows(() => pools.revert('gone@b#p', 5));
  t.false(pools.consume('gone@b#p', 5));
});

test('a report older than the last is dropped, one of the same age is taken', (t) => {
  const { pools } = poolsOf();
  t.true(pools.report(report({ timestamp: 10, pools: [POOL] })));
  t.false(pools.report(report({ timestamp: 9, pools: [] })));
  t.true(pools.report(report({ timestamp: 10, pools: [{ ...POOL, free_capacity_gb: 1 }] })));
  t.is(pools.list()[0]?.freeCapacityGb, 1);
});

test('a pool that is no longer reported is gone, and so are all when the list is empty', (t) => {
  const { pools } = poolsOf();
  pools.report(report({ timestamp: 1, pools: [POOL, { ...POOL, pool_name: 'q' }] }));
  t.deepEqual(names(pools), ['h@b#p', 'h@b#q']);
  pools.report(report({ timestamp: 2, pools: [{ ...POOL, pool_name: 'q' }] }));
  t.deepEqual(names(pools), ['h@b#q']);
  pools.report(report({ timestamp: 3, pools: [] }));
  t.deepEqual(names(pools), []);
});

test('a backend without a list of pools is its own only pool', (t) => {
  const { pools } = poolsOf();
  pools.report({ host: 'h@b', clusterName: null, timestamp: 1, capabilities: { total_capacity_gb: 7 } });
  t.deepEqual(names(pools), ['h@b#_pool0']);
  pools.report({ host: 'h@b', clusterName: null, timestamp: 2, capabilities: { volume_backend_name: 'lvm' } });
  t.deepEqual(names(pools), ['h@b#lvm']);
});

test('every spelling of a protocol is reported for its pools', (t) => {
  const { pools } = poolsOf();
  pools.report(report({ timestamp: 1, pools: [{ ...POOL, storage_protocol: 'iscsi' }] }));
  t.deepEqual(pools.list()[0]?.capabilities['storage_protocol'], ['iSCSI', 'iscsi']);
});

test('pools of a backend that is down, disabled or frozen are not there', (t) => {
  for (const flags of [{ up: false }, { disabled: true }, { frozen: true }]) {
    const { pools } = poolsOf();
    pools.report(report({ timestamp: 1, pools: [POOL] }));
    t.is(pools.list().length, 1);
    pools.setServices([{ ...SERVICE, ...flags }]);
    t.is(pools.list().length, 0, JSON.stringify(flags));
    pools.setServices([SERVICE]);
    t.is(pools.list().length, 1, 'back again with what it reported last');
  }
});

test('a service that moves to another zone takes its pools along without a new report', (t) => {
  const { pools } = poolsOf();
  pools.report(report({ timestamp: 1, pools: [POOL] }));
  pools.setServices([{ ...SERVICE, availabilityZone: 'az2' }]);
  t.is(pools.list()[0]?.service.availabilityZone, 'az2');
});

test('the members of a cluster are one backend, spoken for by the first that is up', (t) => {
  const { pools } = poolsOf();
  const member = { ...SERVICE, clusterName: 'c@b' };
  pools.setServices([{ ...member, host: 'h0@b', up: false }, member, { ...member, host: 'h2@b' }]);
  pools.report({ ...report({ timestamp: 1, pools: [POOL] }), clusterName: 'c@b' });
  const [pool, ...more] = pools.list();
  t.like(pool, { host: 'h@b#p', clusterName: 'c@b#p', backendId: 'c@b#p' });
  t.deepEqual(more, []);
});

test('a scheduler is ready once every living backend has reported, and reports repeat', (t) => {
  const { pools } = poolsOf();
  t.deepEqual(names(pools), []);
  t.false(pools.hasAllCapabilities);
  t.deepEqual([...pools.silentBackends], ['h@b']);
  pools.report(report({ timestamp: 1, pools: [COMPLETE] }));
  t.true(pools.hasAllCapabilities);
  t.false(pools.firstReceiveCapabilities);
  pools.report(report({ timestamp: 2, pools: [COMPLETE] }));
  t.true(pools.firstReceiveCapabilities);
});

test('a report that makes no pools is refused with all its faults, and the pools stay', (t) => {
  const { pools } = poolsOf();
  pools.report(report({ timestamp: 1, pools: [POOL] }));
  const thin = { ...POOL, thin_provisioning_support: true };
  const bad = [{ ...thin, max_over_subscription_ratio: 'lots' }, 7, { ...POOL, pool_name: null }];
  t.throws(() => pools.report(report({ timestamp: 2, pools: bad })), {
    name: 'InvalidInput',
    message: /pools\[0\]\.max_over_subscription_ratio.*pools\[1\].*pools\[2\]\.pool_name/s,
  });
  t.deepEqual(names(pools), ['h@b#p']);
});

test('a pool that does not say how much is free is placed on for nothing only, and stays as it was', (t) => {
  const { pools } = poolsOf();
  pools.report(report({ timestamp: 1, pools: [{ ...POOL, free_capacity_gb: null }] }));
  pools.list();
  t.true(pools.consume('h@b#p', 0));
  t.like(pools.list()[0], { freeCapacityGb: null, allocatedCapacityGb: 20 });
});

test('a change of a pool is announced once, with the sum of its backend', (t) => {
  const { pools } = poolsOf();
  const first = report({ timestamp: 1, pools: [COMPLETE] });
  const usage = { total: 100, free: 80, allocated: 20, provisioned: 20, virtualFree: 80, reportedAt: 1 };
  t.deepEqual(pools.notify(first), {
    usages: [
      { type: 'pool', nameToId: 'h@b#p', ...usage },
      { type: 'backend', nameToId: 'h@b', ...usage },
    ],
  });
  pools.report(first);
  t.is(pools.notify(first), undefined);
  t.is(pools.notify(report({ timestamp: 2, pools: [COMPLETE] })), undefined);
});

test('of a backend that no longer lists pools nothing is announced', (t) => {
  const { pools } = poolsOf();
  pools.report(report({ timestamp: 1, pools: [COMPLETE] }));
  t.deepEqual(pools.notify({ host: 'h@b', clusterName: null, timestamp: 2, capabilities: {} }), { usages: [] });
});

test('the pools of a report that came too late to count are announced', (t) => {
  const { pools } = poolsOf();
  const clustered = (timestamp: number) => ({ ...report({ timestamp, pools: [COMPLETE] }), clusterName: 'c@b' });
  pools.setServices([{ ...SERVICE, clusterName: 'c@b' }]);
  pools.report(report({ timestamp: 9, pools: [COMPLETE] }));
  pools.report(clustered(1));
  pools.list();
  t.is(pools.notify(clustered(10))?.usages.length, 2);
});

test('a backend that is its own only pool is as old as its report, whatever it says of its age', (t) => {
  const { pools } = poolsOf();
  pools.report({ host: 'h@b', clusterName: null, timestamp: 5, capabilities: { ...POOL, timestamp: 7 } });
  t.like(pools.list()[0], { updatedAt: 5, capabilities: { timestamp: 5 } });
});

const SERVICE: VolumeService = {
  ...{ host: 'h@b', clusterName: null, availabilityZone: 'nova' },
  ...{ up: true, disabled: false, frozen: false },
};

/** A pool with everything that changes are announced of. */
const COMPLETE = {
  ...POOL,
  provisioned_capacity_gb: 20,
  thin_provisioning_support: false,
  thick_provisioning_support: true,
  max_over_subscription_ratio: 1,
  reserved_percentage: 0,
};

function poolsOf() {
  let now = 0;
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => now });
  pools.setServices([SERVICE]);
  return { pools, at: (time: number) => void (now = time) };
}

function report({ timestamp, pools }: { readonly timestamp: number; readonly pools: ValueMap[string] }) {
  return { host: 'h@b', clusterName: null, timestamp, capabilities: { pools } };
}

function names(pools: Pools): readonly string[] {
  return pools.list().map(({ backendId }) => backendId);
}
