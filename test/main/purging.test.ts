import test from 'ava';
import { MOST_PURGED, type Purged, type Retention } from '#src/db/purge.js';
import { purging, type PurgingOptions, retentionOf } from '#src/main/purging.js';
import { Gate } from '../support/gate.js';
import { sqliteStore } from '../support/sql.js';

const NONE: Purged = { volumes: 0, events: 0, messages: 0, idempotencyKeys: 0, processes: 0, leftovers: 0 };
const RETENTION: Retention = { deletedVolumesMs: 1, eventsMs: 2, idempotencyMs: 3 };
const LONG_MS = 60_000;

/** Purging whose rounds take what the test says, one after the other. */
async function rounds(t: Parameters<typeof sqliteStore>[0], taken: readonly (Purged | Error)[], more: object = {}) {
  const seen: (Retention | undefined)[] = [];
  const log: string[] = [];
  const over = new Gate();
  const round: PurgingOptions['round'] = async (_store, retention) => {
    const next = taken[seen.length];
    seen.push(retention);
    if (seen.length >= taken.length) void over.enter();
    if (next instanceof Error) throw next;
    return next ?? NONE;
  };
  const stop = purging({
    ...{ store: await sqliteStore(t), retention: RETENTION, round, intervalMs: 5, moreMs: 5 },
    log: { info: (message) => void log.push(message), warn: (message) => void log.push(message) },
    ...more,
  });
  t.teardown(stop);
  await over.inside(1);
  await stop();
  return { seen, log };
}

test('a round that took all it may is followed by the next one at once', async (t) => {
  const full = { ...NONE, events: MOST_PURGED };
  const { seen, log } = await rounds(t, [full, full, NONE], { intervalMs: 5, moreMs: 1 });
  t.deepEqual(seen, [RETENTION, RETENTION, RETENTION]);
  t.deepEqual(log, ['purged', 'purged', 'purged']);
});

test('after a round that left nothing, and after one that failed, the interval is waited for', async (t) => {
  const { seen, log } = await rounds(t, [NONE, new Error('away'), NONE], { moreMs: LONG_MS });
  t.is(seen.length, 3);
  t.deepEqual(log, ['purged', 'nothing could be purged', 'purged']);
});

test('purging that is stopped waits for the round under way, and begins none', async (t) => {
  const gate = new Gate();
  let count = 0;
  const stop = purging({
    ...{ store: await sqliteStore(t), retention: RETENTION, intervalMs: 1 },
    log: { info: () => undefined, warn: () => undefined },
    round: async (_store, _retention, signal) => {
      count += 1;
      await gate.enter();
      t.true(signal?.aborted);
      return NONE;
    },
  });
  await gate.inside(1);
  const stopped = stop();
  gate.open();
  await stopped;
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(count, 1);
});

test('events and deleted volumes are kept for the days that are configured, idempotency keys for their own time', (t) => {
  t.deepEqual(retentionOf({ retentionDays: 2, idempotencyRetentionMs: 90_000 }), {
    ...{ deletedVolumesMs: 172_800_000, eventsMs: 172_800_000 },
    idempotencyMs: 90_000,
  });
});
