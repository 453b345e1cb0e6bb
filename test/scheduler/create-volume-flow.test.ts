import test, { type ExecutionContext } from 'ava';
import { readCreateVolumeOnVolume } from '#src/casts/cast-messages.js';
import { CastReceiver } from '#src/casts/receiver.js';
import type { Store } from '#src/db/store.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import type { FilterProperties, Retry } from '#src/objects/request-spec.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { type AwayBackend, expectedBackends } from '#src/scheduler/expected-backends.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { schedulerCasts } from '#src/scheduler/manager.js';
import { Pools } from '#src/scheduler/pools.js';
import { Readiness } from '#src/scheduler/readiness.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { aged, CONTEXT, everything, incoming, readyRow, rowOf } from '../casts/rows.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { NO_SURROUNDINGS } from '#src/scheduler/placement-request.js';
import { weigherParts } from '../replay/scheduler/weighers.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHERS, DEFAULT_WEIGHT_HANDLER } from '../support/cinder-defaults.js';

const HOUR_MS = 3_600_000;

storesFor(
  'a volume is placed: host, zone, row and event change together, and the backend is told',
  async (t, store) => {
    const scheduler = schedulerOn(t, store, { 'h1@b': 10, 'h2@b': 20 });
    const row = await readyRow(store);

    t.is(await scheduler.work(row), 'done');

    const { volume, row: after, events } = await everything(store, row.resourceId);
    t.like(volume, { status: 'creating', host: 'h2@b#p', availabilityZone: 'zone of h2@b', clusterName: null });
    t.true((volume?.scheduledAt ?? 0) > 0);
    t.like(after, {
      state: 'ready',
      binary: 'cinder-volume',
      method: 'CreateVolume',
      target: 'h2@b',
      owner: null,
      epoch: 3,
    });
    t.like(after, { claims: 0, service_id: null, status: 'creating' });
    t.deepEqual(events, ['volume.create.scheduled']);
    t.like(scheduler.sent[0], { resourceId: row.resourceId, target: 'h2@b', epoch: 3, context: CONTEXT });
    const cast = readCreateVolumeOnVolume(Buffer.from(after?.payload ?? []));
    t.like(cast.volume, { host: 'h2@b#p', availabilityZone: 'zone of h2@b' });
    t.true(cast.allowReschedule);
    t.deepEqual(cast.filterProperties.retry, { numAttempts: 1, backends: ['h2@b#p'], exc: [] });
    t.is(scheduler.free('h2@b#p'), 19, 'its room is taken');
  },
);

storesFor('a clone goes to the pool of its source, however much better others are', async (t, store) => {
  const scheduler = schedulerOn(t, store, { 'h1@b': 10, 'h2@b': 1_000 });
  const row = await readyRow(store, { resourceBackend: 'h1@b#p' });
  t.is(await scheduler.work(row), 'done');
  t.is((await everything(store, row.resourceId)).volume?.host, 'h1@b#p');
});

/** Why the pool of the source will not do. */
const NO_PLACE: readonly (readonly [what: string, pools: Readonly<Record<string, number>>])[] = [
  ['is full', { 'h1@b': 0, 'h2@b': 1_000 }],
  ['is gone', { 'h2@b': 1_000 }],
];

for (const [what, pools] of NO_PLACE) {
  storesFor(`a clone whose source's pool ${what} ends in error, and its owner is told`, async (t, store) => {
    const scheduler = schedulerOn(t, store, pools);
    const row = await readyRow(store, { resourceBackend: 'h1@b#p' });
    t.is(await scheduler.work(row), 'done');
    const { volume, row: after, messages } = await everything(store, row.resourceId);
    t.like(volume, { status: 'error', host: null });
    t.is(after, undefined);
    t.regex(volume?.statusReason ?? '', /Of 1 that would do, none is where the volume has to be/);
    t.regex(messages[0] ?? '', /^001 003 /);
    t.notRegex(`${volume?.statusReason} ${messages.join()}`, /h[12]@b/);
  });
}

storesFor('a volume for which there is no room ends in error, with words that name no host', async (t, store) => {
  const scheduler = schedulerOn(t, store, { 'h1@b': 0 });
  const row = await readyRow(store);

  t.is(await scheduler.work(row), 'done');

  const { volume, row: after, events, messages } = await everything(store, row.resourceId);
  t.is(volume?.status, 'error');
  t.is(volume?.statusReason, 'No valid backend was found. 1 of 1 pools do not have enough room.');
  t.is(volume?.host, null);
  t.is(after, undefined);
  t.deepEqual(events, ['volume.create.error', 'scheduler.create_volume']);
  t.deepEqual(messages, [
    '001 003 schedule allocate volume: Could not find any available weighted backend. ' + (volume?.statusReason ?? ''),
  ]);
  t.notRegex(messages.join(), /h1@b/);
  t.regex(scheduler.refusals[0] ?? '', /h1@b#p has room for 0 GiB/, 'an operator is told more');
  t.deepEqual(scheduler.sent, []);
});

storesFor('the refusal is one transaction: when it fails, nothing of it is there', async (t, store) => {
  let failures = 1;
  const flaky: Store = {
    ...{ dialect: store.dialect, read: (bound) => store.read(bound), close: () => store.close() },
    apply: (unit) => (failures-- > 0 ? Promise.reject(new Error('away')) : store.apply(unit)),
  };
  const scheduler = schedulerOn(t, store, { 'h1@b': 0 }, { parts: flaky });
  const row = await readyRow(store);
  t.is(await scheduler.work(row), 'failed');
  const { volume, events, messages } = await everything(store, row.resourceId);
  t.is(volume?.status, 'error');
  t.deepEqual(events, ['volume.create.error', 'scheduler.create_volume']);
  t.is(messages.length, 1);
});

storesFor('room that was taken for a hand-over that failed is given back', async (t, store) => {
  const away: Store = {
    ...{ dialect: store.dialect, read: (bound) => store.read(bound), close: () => store.close() },
    apply: () => Promise.reject(new Error('away')),
  };
  const scheduler = schedulerOn(t, store, { 'h1@b': 10 }, { parts: away });
  const row = await readyRow(store);
  t.is(await scheduler.work(row), 'failed');
  t.is(scheduler.free('h1@b#p'), 10);
  t.deepEqual(scheduler.sent, []);
  const { volume } = await everything(store, row.resourceId);
  t.is(volume?.host, null);
  t.notRegex(volume?.statusReason ?? '', /away/, 'causes are for the log');
});

test('a scheduler that was replaced gives the room back and writes nothing', async (t) => {
  const store = await sqliteStore(t);
  const row = await readyRow(store);
  let before: unknown;
  const replaced: Store = {
    ...{ dialect: store.dialect, read: (bound) => store.read(bound), close: () => store.close() },
    async apply(unit) {
      const heir = schedulerOn(t, store, { 'h2@b': 10 }, { owner: 'heir' });
      await heir.takeOver();
      before = await everything(store, row.resourceId);
      return store.apply(unit);
    },
  };
  const scheduler = schedulerOn(t, store, { 'h1@b': 10 }, { parts: replaced });
  t.is(await scheduler.work(row), 'fenced');
  t.is(scheduler.free('h1@b#p'), 10);
  t.deepEqual(await everything(store, row.resourceId), before);
  t.is((await everything(store, row.resourceId)).volume?.host, 'h2@b#p');
});

/** What was tried before, and how the next attempt ends. */
const ATTEMPTS: readonly (readonly [retry: Retry | undefined, expected: string | RegExp])[] = [
  [undefined, 'attempt 1 of 3'],
  [{ numAttempts: 1, backends: ['h1@b#p'], exc: ['it broke'] }, 'attempt 2 of 3'],
  [{ numAttempts: 2, backends: ['h1@b#p', 'h1@b#p'], exc: ['it broke'] }, 'attempt 3 of 3'],
  [{ numAttempts: 3, backends: ['h1@b#p', 'h1@b#p', 'h1@b#p'], exc: ['it broke'] }, /All 3 attempts to place volume/],
];

for (const [retry, expected] of ATTEMPTS) {
  test(`after ${retry?.numAttempts ?? 0} attempts: ${String(expected)}`, async (t) => {
    const store = await sqliteStore(t);
    const scheduler = schedulerOn(t, store, { 'h1@b': 10 });
    const filterProperties: FilterProperties = { schedulerHints: new Map(), ...(retry && { retry }) };
    const row = await readyRow(store, { filterProperties });
    t.is(await scheduler.work(row), 'done');
    const { volume, row: after } = await everything(store, row.resourceId);
    if (typeof expected === 'string') {
      const { retry: next } = readCreateVolumeOnVolume(Buffer.from(after?.payload ?? [])).filterProperties;
      t.is(`attempt ${next?.numAttempts} of 3`, expected);
      t.is(next?.backends.length, (retry?.backends.length ?? 0) + 1);
      t.deepEqual(next?.exc, []);
    } else {
      t.is(volume?.status, 'error');
      t.regex(volume?.statusReason ?? '', expected);
      t.notRegex(volume?.statusReason ?? '', /h1@b/);
    }
  });
}

storesFor('while no volume service is up, a volume rests and its claim does not count', async (t, store) => {
  const scheduler = schedulerOn(t, store, {});
  const row = await readyRow(store);
  t.is(await scheduler.work(row), 'given_back');
  const { volume, row: after, events } = await everything(store, row.resourceId);
  t.is(volume?.status, 'creating');
  t.like(after, { state: 'ready', binary: 'cinder-scheduler', epoch: 3, claims: 0, owner: null });
  t.true((after?.not_before ?? 0) > Date.now());
  t.deepEqual(events, []);
});

/** Backends that are away for so long, and whether a volume waits for one. */
const AWAY: readonly (readonly [what: string, request: Request, away: readonly AwayBackend[], waits: boolean])[] = [
  ['any, and one was there a minute ago', {}, [{ key: 'h2@b', silentMs: 61_000 }], true],
  ['any, and one has been away for long', {}, [{ key: 'h2@b', silentMs: 121_000 }], false],
  ['any, and the one that is away was tried', { tried: ['h2@b#p'] }, [{ key: 'h2@b', silentMs: 61_000 }], false],
  ['a certain one, away for long', { boundTo: 'h2@b#p' }, [{ key: 'h2@b', silentMs: 121_000 }], true],
  ['a certain one, and another is away', { boundTo: 'h1@b#p' }, [{ key: 'h2@b', silentMs: 61_000 }], false],
  [
    'a certain one, for more than an hour',
    { boundTo: 'h2@b#p', ageMs: HOUR_MS },
    [{ key: 'h2@b', silentMs: 1 }],
    false,
  ],
];

for (const [what, request, away, waits] of AWAY) {
  test(`a volume needs ${what}: it ${waits ? 'rests' : 'ends in error'}`, async (t) => {
    const { boundTo: resourceBackend, tried, ageMs } = request;
    const store = await sqliteStore(t);
    const scheduler = schedulerOn(t, store, { 'h1@b': 0 }, { away });
    const retry = tried && { retry: { numAttempts: 1, backends: tried, exc: [] } };
    const row = await readyRow(store, {
      ...(resourceBackend !== undefined && { resourceBackend }),
      ...(retry && { filterProperties: { schedulerHints: new Map(), ...retry } }),
    });
    if (ageMs !== undefined) await aged(store, row.resourceId, ageMs);
    t.is(await scheduler.work(row), waits ? 'given_back' : 'done');
    const { volume, row: after } = await everything(store, row.resourceId);
    t.is(volume?.status, waits ? 'creating' : 'error');
    if (waits) t.like(after, { state: 'ready', binary: 'cinder-scheduler', claims: 0, owner: null });
    else t.is(after, undefined);
  });
}

storesFor('a volume that has rested for a day is given up', async (t, store) => {
  const scheduler = schedulerOn(t, store, {});
  const row = await readyRow(store);
  await aged(store, row.resourceId, 24 * HOUR_MS + 1_000);
  t.is(await scheduler.work(row), 'failed');
  const { volume, row: after, messages } = await everything(store, row.resourceId);
  t.is(volume?.status, 'error');
  t.is(volume?.statusReason, 'No valid backend was found. No storage service has been up for too long.');
  t.is(after, undefined);
  t.regex(messages[0] ?? '', /^001 003 /);
});

test('a scheduler that stops before backends have reported gives the work back instead of refusing it', async (t) => {
  const store = await sqliteStore(t);
  const scheduler = schedulerOn(t, store, { 'h1@b': undefined });
  const row = await readyRow(store);
  void scheduler.deliver(row);
  await eventually('it is claimed', async () => (await rowOf(store, row.resourceId))?.state === 'claimed');
  scheduler.readiness.stop();
  await eventually('it is given back', async () => (await rowOf(store, row.resourceId))?.state === 'ready');
  t.deepEqual(scheduler.ended, [], 'nothing was done');
  const { volume, row: after } = await everything(store, row.resourceId);
  t.is(volume?.status, 'creating');
  t.like(after, { state: 'ready', epoch: 3, claims: 0, owner: null });
});

test('a volume waits for the first report of a backend that has just come up, for a minute', async (t) => {
  const store = await sqliteStore(t);
  const scheduler = schedulerOn(t, store, { 'h1@b': undefined }, { initWaitMs: 0 });
  const row = await readyRow(store);
  t.is(await scheduler.work(row), 'given_back');
  const { volume, row: after } = await everything(store, row.resourceId);
  t.is(volume?.status, 'creating');
  t.like(after, { state: 'ready', binary: 'cinder-scheduler', claims: 0, owner: null });

  const old = await readyRow(store);
  await aged(store, old.resourceId, 61_000);
  t.is(await scheduler.work(old), 'done');
  t.is((await everything(store, old.resourceId)).volume?.status, 'error');
});

/** What is asked for, and since when. */
interface Request {
  readonly boundTo?: string;
  readonly tried?: readonly string[];
  readonly ageMs?: number;
}

interface SchedulerOptions {
  /** Longest wait for first reports, ms. @default an hour */
  readonly initWaitMs?: number;
  /** Where the scheduler itself reads and writes. @default the store */
  readonly parts?: Store;
  readonly owner?: string;
  /** Backends that are not up. @default none */
  readonly away?: readonly AwayBackend[];
}

/** A scheduler over backends with one pool each, by its free room in GiB; undefined: up, but silent. */
function schedulerOn(
  t: ExecutionContext,
  store: Store,
  backends: Readonly<Record<string, number | undefined>>,
  { parts = store, owner = 'scheduler', initWaitMs = HOUR_MS, away = [] }: SchedulerOptions = {},
) {
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => Date.now() });
  const flags = { clusterName: null, up: true, disabled: false, frozen: false };
  pools.setServices(Object.keys(backends).map((host) => ({ ...flags, host, availabilityZone: `zone of ${host}` })));
  for (const [host, freeGib] of Object.entries(backends)) {
    if (freeGib === undefined) continue;
    const pool = { pool_name: 'p', total_capacity_gb: 100, free_capacity_gb: freeGib };
    pools.report({ host, clusterName: null, timestamp: 1, capabilities: { pools: [pool] } });
  }
  const readiness = new Readiness({ pools, initWaitMs });
  t.teardown(() => readiness.stop());
  const sent: ReadyWorker[] = [];
  const refusals: string[] = [];
  const ended: string[] = [];
  const receiver = new CastReceiver({
    store,
    binary: 'cinder-scheduler',
    owner,
    handlers: schedulerCasts({
      store: parts,
      messageTtlMs: 60_000,
      lookUp: () => NO_SURROUNDINGS,
      onPlaced: () => undefined,
      scheduler: new FilterScheduler({
        pools,
        filters: filtersByName(DEFAULT_FILTERS, { functions: new Functions() }),
        weighers: weighersByName(DEFAULT_WEIGHERS, weigherParts()),
        weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
        maxAttempts: 3,
      }),
      readiness,
      anyVolumeService: () => Object.keys(backends).length > 0,
      isExpected: expectedBackends({
        away: () => away,
        silent: () => pools.silentBackends,
        restartMs: 2 * 60_000,
        patienceMs: HOUR_MS,
      }),
      send: (cast) => sent.push(cast),
      onRefusal: (_claim, reason) => refusals.push(reason),
      listeners: [],
    }),
    serviceFor: () => 'service-1',
    onWork: (_claim, how) => ended.push(how),
  });
  t.teardown(() => receiver.stop(0));
  const end = (): Promise<string> =>
    eventually('the work has ended', () => ended.length > 0).then(() => ended.shift() ?? '');
  return {
    ...{ sent, refusals, readiness, ended },
    deliver: (row: ReadyWorker) => receiver.deliver([incoming(row)]),
    free: (backendId: string) => pools.find(backendId)?.freeCapacityGb,
    /** Delivers a cast and answers how its work ended. */
    async work(row: ReadyWorker): Promise<string> {
      await receiver.deliver([incoming(row)]);
      return end();
    },
    async takeOver(): Promise<string> {
      if ((await receiver.takeOver()) !== 1) throw new Error('there was not one orphan');
      return end();
    },
  };
}
