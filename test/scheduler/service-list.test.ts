import test, { type ExecutionContext } from 'ava';
import { Pools } from '#src/scheduler/pools.js';
import { type ListedService, ServiceList, type ServiceListOptions } from '#src/scheduler/service-list.js';
import { Gate } from '../support/gate.js';
import { eventually } from '../support/redis.js';

const SERVICE: ListedService = {
  ...{ host: 'h1@b', clusterName: null, availabilityZone: 'nova', up: true, disabled: false, frozen: false },
  silentMs: 5,
};

test('the list is read before it has started, and its services are the pools’', async (t) => {
  const { list, pools, readings } = listOf(t, async () => [SERVICE]);
  await list.start();
  t.is(readings(), 1);
  pools.list();
  t.deepEqual([...pools.silentBackends], ['h1@b']);
});

test('away are backends that may get volumes and of which no member is up', async (t) => {
  const away = { ...SERVICE, up: false, silentMs: 90_000 };
  const { list } = listOf(t, async () => [
    ...[SERVICE, { ...away, host: 'h2@b' }, { ...away, host: 'h3@b', disabled: true }],
    ...[
      { ...away, host: 'h4@b', clusterName: 'c1@b' },
      { ...SERVICE, host: 'h5@b', clusterName: 'c1@b' },
    ],
    { ...away, host: 'h6@b', clusterName: 'c2@b' },
  ]);
  await list.start();
  t.deepEqual(list.away(), [
    { key: 'h2@b', silentMs: 90_000 },
    { key: 'c2@b', silentMs: 90_000 },
  ]);
});

test('a first reading that fails fails the start', async (t) => {
  const { list } = listOf(t, () => Promise.reject(new Error('away')));
  await t.throwsAsync(list.start(), { message: 'away' });
});

test('the list is read again and again, and who comes and goes is seen', async (t) => {
  let services: readonly ListedService[] = [];
  const { list } = listOf(t, async () => services);
  await list.start();
  t.false(list.anyUp);
  services = [
    { ...SERVICE, up: false },
    { ...SERVICE, host: 'h2@b', disabled: true },
  ];
  await eventually('the services are seen', () => list.anyUp);
  t.false(list.hasUp('h1@b'));
  t.true(list.hasUp('h2@b'), 'a disabled one is up all the same');
  services = [];
  await eventually('they are gone', () => !list.anyUp);
});

test('when the list cannot be read, the last one stays and the next reading goes on', async (t) => {
  let isAway = false;
  const { list, errors } = listOf(t, () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve([SERVICE])));
  await list.start();
  isAway = true;
  await eventually('it is told', () => errors.length >= 2);
  t.true(list.hasUp('h1@b'));
  isAway = false;
  const told = errors.length;
  await list.refresh();
  t.true(errors.length <= told + 1);
});

test('readings that overlap are one', async (t) => {
  const gate = new Gate();
  let reads = 0;
  const { list } = listOf(
    t,
    async () => {
      if (++reads > 1) await gate.enter();
      return [SERVICE];
    },
    { intervalMs: 3_600_000 },
  );
  await list.start();
  const all = [list.refresh(), list.refresh(), list.refresh()];
  gate.open();
  await Promise.all(all);
  t.is(reads, 2);
});

test('a list that stops waits for its reading and reads no more', async (t) => {
  const gate = new Gate();
  let reads = 0;
  const { list, readings } = listOf(t, async () => {
    if (++reads > 1) await gate.enter();
    return [SERVICE];
  });
  await list.start();
  await gate.inside(1);
  const stopped = list.stop();
  gate.open();
  await stopped;
  t.is(reads, 2);
  t.is(readings(), 2, 'the last one was taken before the end');
});

function listOf(t: ExecutionContext, read: ServiceListOptions['read'], options: Partial<ServiceListOptions> = {}) {
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => 1 });
  const errors: unknown[] = [];
  let readings = 0;
  const list = new ServiceList({
    ...{ pools, read, intervalMs: 5 },
    onRead: () => (readings += 1),
    onError: (error) => errors.push(error),
    ...options,
  });
  t.teardown(() => list.stop());
  return { list, pools, errors, readings: () => readings };
}
