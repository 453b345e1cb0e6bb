import { setImmediate as turn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { type Claim, Fenced } from '#src/casts/claim.js';
import { readEvents } from '#src/db/events.js';
import type { Store } from '#src/db/store.js';
import { changeOfPayload } from '#src/db/volume-rows.js';
import { claimWorker } from '#src/db/worker-claims.js';
import { Fault } from '#src/errors/fault.js';
import { withProgress } from '#src/volume/progress.js';
import { CONTEXT, readyRow } from '../casts/rows.js';
import { sqliteStore } from '../support/sql.js';

const EVER = new AbortController().signal;

test('the first report is written at once, then what is more, once a second', async (t) => {
  const { store, claim, reports } = await claimed(t);
  let now = 0;
  const told: [at: number, percent: number][] = [
    [0, 0],
    [10, 1],
    [999, 2],
    [1_000, 0],
    [1_001, 2.9],
    [1_900, 50],
    [2_002, 51],
    [9_000, 100],
  ];
  const writes: Promise<unknown>[] = [];
  const noted: Store = {
    ...proxied(store),
    apply: (unit) => {
      const write = store.apply(unit);
      writes.push(write);
      return write;
    },
  };
  await withProgress({ store: noted, now: () => now }, claim, EVER, async ({ onProgress }) => {
    for (const [at, percent] of told) {
      now = at;
      onProgress(percent);
      await Promise.all(writes);
      await turn(); // whoever waited for the write has gone on
    }
  });
  t.deepEqual(await reports(), [0, 2, 51]);
});

test('work that reports only its end writes nothing', async (t) => {
  const { store, claim, reports } = await claimed(t);
  await withProgress({ store }, claim, EVER, async ({ onProgress }) => onProgress(100));
  t.deepEqual(await reports(), []);
});

test('work that somebody else has taken over is aborted with Fenced by its next report', async (t) => {
  const { store, claim, reports } = await claimed(t);
  const former = { ...claim, owner: 'somebody before' };
  const work = withProgress({ store }, former, EVER, async ({ signal, onProgress }) => {
    onProgress(1);
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  });
  await t.throwsAsync(work, { instanceOf: Fenced });
  t.deepEqual(await reports(), []);
});

test('a database that is away costs reports, not the work', async (t) => {
  const { store, claim } = await claimed(t);
  const away: Store = {
    ...proxied(store),
    apply: () => Promise.reject(new Fault('DatabaseUnavailable', { reason: '' })),
  };
  await t.notThrowsAsync(withProgress({ store: away }, claim, EVER, async ({ onProgress }) => onProgress(5)));
});

test('work that is aborted from outside hears the reason', async (t) => {
  const { store, claim } = await claimed(t);
  const abort = new AbortController();
  const reason = new Error('stop');
  const work = withProgress({ store }, claim, abort.signal, async ({ signal }) => {
    abort.abort(reason);
    signal.throwIfAborted();
  });
  t.is(await t.throwsAsync(work), reason);
});

/** Work on a volume that is being made, and the percentages that were written. */
async function claimed(t: ExecutionContext) {
  const store = await sqliteStore(t);
  const row = await readyRow(store, { work: 'create' });
  const { resourceType, resourceId, target } = row;
  const key = { resourceType, resourceId };
  await store.apply([
    claimWorker({ ...key, epoch: row.epoch, owner: 'me', binary: 'cinder-volume', target, serviceId: null }),
  ]);
  const claim: Claim = {
    ...{ ...key, target, epoch: row.epoch + 1, owner: 'me', method: 'CreateVolume', context: CONTEXT },
    ...{ claims: 1, ageMs: 0, resumed: false },
  };
  const reports = async () =>
    (await readEvents(store, { tx: 0, seq: 0 }, 100))
      .filter(({ type }) => type === 'volume.create.progress')
      .map(({ payload }) => changeOfPayload(payload)?.progressPercent);
  return { store, claim, reports };
}

function proxied(store: Store): Store {
  return {
    dialect: store.dialect,
    apply: (unit) => store.apply(unit),
    read: (bound) => store.read(bound),
    close: () => store.close(),
  };
}
