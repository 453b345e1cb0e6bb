import type { ExecutionContext } from 'ava';
import { appendVolumeEvent, appendVolumeProgress, type EventCursor } from '#src/db/events.js';
import { purge } from '#src/db/purge.js';
import type { Store } from '#src/db/store.js';
import { transition } from '#src/db/volume-transitions.js';
import { Fault } from '#src/errors/fault.js';
import { VolumeEvents, type VolumeChange, type WatchOptions, type WatchRequest } from '#src/events/watch.js';
import { breakRow } from '../support/broken-rows.js';
import { Gate } from '../support/gate.js';
import { storesFor } from '../support/sql.js';
import { finalEvents, recorded } from '../support/volumes.js';

const START: EventCursor = { tx: 0, seq: 0 };
const POLL: WatchOptions = { pollMs: 10 };

function eventsOf(t: ExecutionContext, store: Store, options: WatchOptions = POLL): VolumeEvents {
  const events = new VolumeEvents(store, options);
  t.teardown(() => events.close());
  return events;
}

async function watch(t: ExecutionContext, events: VolumeEvents, request: Omit<WatchRequest, 'signal'> = {}) {
  const aborting = new AbortController();
  t.teardown(() => aborting.abort());
  const watching = await events.subscribe({ ...request, signal: aborting.signal });
  const changes = watching[Symbol.asyncIterator]();
  return {
    start: watching.start,
    abort: () => aborting.abort(),
    next: async () => (await changes.next()).value as VolumeChange | undefined,
    take: async (n: number) => {
      const taken: VolumeChange[] = [];
      while (taken.length < n) taken.push((await changes.next()).value as VolumeChange);
      return taken;
    },
  };
}

const finish = (store: Store, id: string) =>
  store.apply([
    transition('finishCreate', { id }),
    appendVolumeEvent({ volumeId: id, type: 'volume.create.end', requestId: 'req-1' }),
  ]);
const ids = (changes: readonly VolumeChange[]) => changes.map(({ volume }) => volume.id);

storesFor('a watch shows every change of a volume from now on, as it was after the change', async (t, store) => {
  const before = await recorded(store);
  await finalEvents(store);
  const { take } = await watch(t, eventsOf(t, store));
  await finish(store, before.id);
  const after = await recorded(store);
  const changes = await take(2);
  t.deepEqual(
    changes.map(({ volume }) => [volume.id, volume.status]),
    [
      [before.id, 'available'],
      [after.id, 'creating'],
    ],
  );
});

storesFor('what only says how work goes is shown to nobody, neither live nor afterwards', async (t, store) => {
  const { id } = await recorded(store);
  await finalEvents(store);
  const events = eventsOf(t, store);
  const live = await watch(t, events);
  for (const type of ['volume.create.start', 'scheduler.create_volume']) {
    await store.apply([appendVolumeEvent({ volumeId: id, type, requestId: 'req-1' })]);
  }
  await finish(store, id);
  t.deepEqual(
    (await live.take(1)).map(({ volume }) => volume.status),
    ['available'],
  );
  const later = await watch(t, events, { after: live.start });
  t.deepEqual(
    (await later.take(1)).map(({ volume }) => volume.status),
    ['available'],
  );
});

/** What is no payload of a volume's event. */
const NO_PAYLOADS = ['', 'not JSON', 'null', '5', '[]', '{}', '{"id": "v"}'];

storesFor('an event that somebody broke is left out, and those around it are shown', async (t, store) => {
  const unreadable: string[] = [];
  const events = eventsOf(t, store, { ...POLL, onUnreadable: ({ resourceId }) => unreadable.push(resourceId) });
  const first = await recorded(store);
  const broken = await Promise.all(NO_PAYLOADS.map(() => recorded(store)));
  for (const [index, payload] of NO_PAYLOADS.entries()) {
    await breakRow(store, 'events', broken[index]?.id ?? '', { payload });
  }
  const last = await recorded(store);
  const { take } = await watch(t, events, { after: START });
  t.deepEqual(ids(await take(2)), [first.id, last.id]);
  t.deepEqual(unreadable.toSorted(), broken.map(({ id }) => id).toSorted());
});

storesFor('a watch that is not read yet misses nothing', async (t, store) => {
  const { take } = await watch(t, eventsOf(t, store));
  const made = [await recorded(store), await recorded(store)];
  t.deepEqual(
    ids(await take(2)),
    made.map(({ id }) => id),
  );
});

storesFor('a watch shows only its project and its volumes', async (t, store) => {
  const events = eventsOf(t, store);
  const [mine, other] = [await recorded(store, { projectId: 'p1' }), await recorded(store, { projectId: 'p1' })];
  const ofProject = await watch(t, events, { projectId: 'p1', after: START });
  await finalEvents(store);
  const ofVolume = await watch(t, events, { projectId: 'p1', volumeIds: [other.id] });
  const foreign = await recorded(store, { projectId: 'p2' });
  const ofForeign = await watch(t, events, { projectId: 'p1', volumeIds: [foreign.id] });
  await finish(store, foreign.id);
  await finish(store, mine.id);
  await finish(store, other.id);
  t.deepEqual(ids(await ofProject.take(4)), [mine.id, other.id, mine.id, other.id]);
  t.deepEqual(ids(await ofVolume.take(1)), [other.id]);
  ofForeign.abort();
  t.is(await ofForeign.next(), undefined);
});

storesFor(
  'from a cursor a watch goes on without gap or repetition, from far behind and under load',
  async (t, store) => {
    const events = eventsOf(t, store);
    const early: { readonly id: string }[] = [];
    while (early.length < 450) early.push(...(await Promise.all(Array.from({ length: 50 }, () => recorded(store)))));
    const state = { isWriting: true };
    const late: string[] = [];
    const writing = (async () => {
      while (state.isWriting) {
        late.push((await recorded(store)).id);
        events.wake();
      }
    })();

    const seen: string[] = [];
    let cursor = START;
    for (let round = 0; round < 12; round++) {
      const { take, abort } = await watch(t, events, { after: cursor });
      const changes = await take(57);
      abort();
      seen.push(...ids(changes));
      cursor = changes.at(-1)?.cursor ?? cursor;
    }
    state.isWriting = false;
    await writing;
    const all = [...early.map(({ id }) => id), ...late];
    const rest = await (await watch(t, events, { after: cursor })).take(all.length - seen.length);
    seen.push(...ids(rest));
    t.is(new Set(seen).size, seen.length);
    t.deepEqual(seen.sort(), all.sort());
  },
);

storesFor('watchers who join while changes pour in see each change after their start once', async (t, store) => {
  const events = eventsOf(t, store, { pollMs: 5 });
  const writing = Promise.all(Array.from({ length: 200 }, () => recorded(store)));
  const watches = await Promise.all(Array.from({ length: 8 }, () => watch(t, events)));
  await writing;
  const last = await recorded(store);
  for (const { next } of watches) {
    const seen: string[] = [];
    while (seen.at(-1) !== last.id) seen.push((await next())?.volume.id ?? '');
    t.is(new Set(seen).size, seen.length);
  }
});

storesFor('a reader that is too slow gets an error, and goes on from its last cursor', async (t, store) => {
  const events = eventsOf(t, store, { pollMs: 10, bufferSize: 5 });
  const slow = await watch(t, events);
  const fast = await watch(t, events);
  const made: string[] = [];
  for (let i = 0; i < 8; i++) {
    made.push((await recorded(store)).id);
    events.wake();
    t.is((await fast.next())?.volume.id, made.at(-1));
  }
  const error = await t.throwsAsync(slow.next(), { name: 'WatchTooSlow' });
  t.regex(error.message, /5 changes were waiting/);
  const again = await watch(t, events, { after: slow.start });
  t.deepEqual(ids(await again.take(8)), made);
});

const progressed = (store: Store, volumeId: string, percent: number) =>
  store.apply([appendVolumeProgress({ volumeId, type: 'volume.create.progress', requestId: 'req-1', percent })]);

storesFor('progress is seen as it is written, each report under a cursor of its own', async (t, store) => {
  const events = eventsOf(t, store);
  const { id } = await recorded(store);
  const other = await recorded(store);
  await finalEvents(store);
  const { take } = await watch(t, events, { projectId: 'p1', volumeIds: [id] });
  await progressed(store, id, 0);
  await progressed(store, other.id, 7);
  await progressed(store, id, 42);
  await finish(store, id);

  const seen = await take(3);

  const shown = (changes: readonly VolumeChange[]) =>
    changes.map(({ volume, progressPercent }) => [volume.status, progressPercent]);
  const all = [
    ['creating', 0],
    ['creating', 42],
    ['available', undefined],
  ];
  t.deepEqual(shown(seen), all);
  for (const [at, { cursor }] of seen.slice(0, 2).entries()) {
    const again = await watch(t, events, { projectId: 'p1', volumeIds: [id], after: cursor });
    t.deepEqual(shown(await again.take(2 - at)), all.slice(at + 1));
  }
});

storesFor('a reader that is behind gets the changes, and progress no more', async (t, store) => {
  const events = eventsOf(t, store, { pollMs: 10, bufferSize: 6 });
  const { id } = await recorded(store);
  await finalEvents(store);
  const { take } = await watch(t, events);
  const quick = await watch(t, events);
  for (let percent = 0; percent < 20; percent += 1) await progressed(store, id, percent);
  await finish(store, id);
  // who reads all the time has the last change when everybody's queue has it
  for (let isLast = false; !isLast;) isLast = (await quick.take(1))[0]?.progressPercent === undefined;

  const seen = await take(4);

  t.deepEqual(
    seen.map(({ progressPercent }) => progressPercent),
    [0, 1, 2, undefined],
  );
});

storesFor('a cursor whose successors were purged, or that is not from here, is refused by name', async (t, store) => {
  const events = eventsOf(t, store);
  await recorded(store);
  await recorded(store);
  await finalEvents(store);
  const first = (await (await watch(t, events, { after: START })).take(1))[0] as VolumeChange;
  await purge(store, { eventsMs: -1 });
  for (const after of [START, first.cursor, { tx: 2 ** 50, seq: 1 }]) {
    const error = await t.throwsAsync(watch(t, events, { after }), { name: 'InvalidInput' });
    t.regex(error.message, /resume_token/);
  }
});

storesFor('the head stays good when everything was purged', async (t, store) => {
  const events = eventsOf(t, store);
  await recorded(store);
  await finalEvents(store);
  const { start } = await watch(t, events);
  await purge(store, { eventsMs: -1 });
  const { take } = await watch(t, events, { after: start });
  const { id } = await recorded(store);
  t.deepEqual(ids(await take(1)), [id]);
});

storesFor('an aborted watch ends, a closed process ends all with ServiceStopping', async (t, store) => {
  const events = eventsOf(t, store);
  const aborted = await watch(t, events);
  const live = await watch(t, events);
  const catching = await watch(t, events, { after: START });
  const waiting = aborted.next();
  aborted.abort();
  t.is(await waiting, undefined);
  events.close();
  await t.throwsAsync(live.next(), { name: 'ServiceStopping' });
  await t.throwsAsync(catching.next(), { name: 'ServiceStopping' });
});

storesFor('more watches than allowed are refused until one ends', async (t, store) => {
  const events = eventsOf(t, store, { maxWatches: 1 });
  const first = await watch(t, events);
  await t.throwsAsync(watch(t, events), { name: 'TooManyRequests' });
  first.abort();
  await t.notThrowsAsync(watch(t, events));
});

storesFor('a watch that begins while its process ends says so, and not that the caller left', async (t, store) => {
  const stopping = new Fault('ServiceStopping', {});
  const begun = eventsOf(t, store).subscribe({ signal: AbortSignal.abort(stopping) });
  t.is(await t.throwsAsync(begun), stopping);
});

storesFor(
  'a watch that begins while an abandoned one is still being refused by the database misses nothing',
  async (t, store) => {
    const gate = new Gate();
    let looks = 0;
    // the second look is for the tail of the first watch, the fourth for that of the next one: this one is answered last
    const hanging: Store = {
      ...{ dialect: store.dialect, apply: (unit) => store.apply(unit), close: () => store.close() },
      read: async (asked) => {
        looks += 1;
        if (looks === 2) {
          await gate.enter();
          throw new Error('the connection was lost');
        }
        if (looks === 4) {
          gate.open();
          await t.throwsAsync(abandoned, { message: 'the connection was lost' });
        }
        return store.read(asked);
      },
    };
    const events = eventsOf(t, hanging);
    const leaving = new AbortController();
    const abandoned = events.subscribe({ signal: leaving.signal });
    await gate.inside(1);
    leaving.abort();
    const { next } = await watch(t, events);

    const { id } = await recorded(store);
    t.is((await next())?.volume.id, id);
  },
);
