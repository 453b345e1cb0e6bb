import { CastReceiver } from '#src/casts/receiver.js';
import { listMessages } from '#src/db/messages.js';
import type { Store } from '#src/db/store.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { findVolume } from '#src/db/volumes.js';
import type { Claims } from '#src/scheduler/claims.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { schedulerCasts } from '#src/scheduler/manager.js';
import { NO_SURROUNDINGS } from '#src/scheduler/placement-request.js';
import { Pools } from '#src/scheduler/pools.js';
import { Readiness } from '#src/scheduler/readiness.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { CONTEXT, incoming, readyRow } from '../casts/rows.js';
import { weigherParts } from '../replay/scheduler/weighers.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHERS, DEFAULT_WEIGHT_HANDLER } from '../support/cinder-defaults.js';
import { claimsOver, newBackend, reportFrom } from '../support/claims.js';
import { eventually, redisFor } from '../support/redis.js';
import { postgresStore, postgresTest } from '../support/sql.js';

const SCHEDULERS = 4;
const REQUESTS = 64;
/** GiB free; a volume is 1 GiB. */
const ROOM = { p: 9, q: 7, r: 5, s: 3 };
const FITTING = Object.values(ROOM).reduce((sum, gib) => sum + gib, 0);

postgresTest('four schedulers fill the pools to the last gigabyte and sell none of it twice', async (t) => {
  const store = await postgresStore(t);
  const backend = newBackend();
  const ended: string[] = [];
  const schedulers = await Promise.all(
    Array.from({ length: SCHEDULERS }, async (_, index) => {
      const receiver = schedulerOn(store, `scheduler${index}`, backend, claimsOver(await redisFor(t)), (how) =>
        ended.push(how),
      );
      t.teardown(() => receiver.stop(0));
      return receiver;
    }),
  );
  const rows: ReadyWorker[] = [];
  for (let count = 0; count < REQUESTS; count += 1) rows.push(await readyRow(store));

  for (const [index, row] of rows.entries()) void schedulers[index % SCHEDULERS]?.deliver([incoming(row)]);
  await eventually('all are decided', () => ended.length === REQUESTS, 30_000);

  t.deepEqual(new Set(ended), new Set(['done']));
  const volumes = await Promise.all(rows.map(({ resourceId }) => findVolume(store, { id: resourceId })));
  const perPool = Object.fromEntries(
    Object.keys(ROOM).map((name) => [name, volumes.filter((made) => made?.host === `${backend}#${name}`).length]),
  );
  t.deepEqual(perPool, ROOM);
  const refused = volumes.filter((volume) => volume?.status === 'error');
  t.is(refused.length, REQUESTS - FITTING);
  t.true(refused.every((volume) => volume?.statusReason?.startsWith('No valid backend was found.')));
  const messages = await listMessages(store, { projectId: CONTEXT.projectId, limit: 1_000 });
  t.is(messages.length, REQUESTS - FITTING);
});

/** A scheduler with memory of its own; the report is all that they have in common beside Redis. */
function schedulerOn(
  store: Store,
  owner: string,
  backend: string,
  claims: Claims,
  onEnd: (how: string) => void,
): CastReceiver {
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => Date.now() });
  const flags = { clusterName: null, up: true, disabled: false, frozen: false, availabilityZone: 'nova' };
  pools.setServices([{ ...flags, host: backend }]);
  pools.report(reportFrom(backend, 1, ROOM));
  return new CastReceiver({
    store,
    binary: 'cinder-scheduler',
    owner,
    handlers: schedulerCasts({
      store,
      messageTtlMs: 60_000,
      lookUp: () => NO_SURROUNDINGS,
      onPlaced: () => undefined,
      claims,
      scheduler: new FilterScheduler({
        pools,
        filters: filtersByName(DEFAULT_FILTERS, { functions: new Functions() }),
        weighers: weighersByName(DEFAULT_WEIGHERS, weigherParts()),
        weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
        maxAttempts: 3,
      }),
      readiness: new Readiness({ pools, initWaitMs: 0 }),
      anyVolumeService: () => true,
      isExpected: () => false,
      send: () => undefined,
      onRefusal: () => undefined,
      listeners: [],
    }),
    serviceFor: () => owner,
    onWork: (_claim, how) => onEnd(how),
  });
}
