import pg from 'pg';
import {
  appendVolumeEvent,
  compareCursors,
  type EventCursor,
  eventRange,
  type EventRow,
  readEvents,
} from '#src/db/events.js';
import { PostgresStore } from '#src/db/postgres-store.js';
import { RowCountMismatch } from '#src/db/store.js';
import { insertVolume } from '#src/db/volumes.js';
import { changeOfPayload } from '#src/db/volume-rows.js';
import { transition } from '#src/db/volume-transitions.js';
import { postgresTest, postgresUrl, storesFor } from '../support/sql.js';
import { finalEvents, newVolume, recorded } from '../support/volumes.js';

const START: EventCursor = { tx: 0, seq: 0 };
const event = (volumeId: string, type: string) => appendVolumeEvent({ volumeId, type, requestId: 'req-1' });

storesFor(
  'an event has the volume as the same unit left it, with its metadata and without secrets',
  async (t, store) => {
    const volume = newVolume({
      metadata: new Map([
        ['__proto__', 'x'],
        ['b', '"'],
      ]),
      sizeGib: 7,
    });
    await store.apply([...insertVolume(volume), event(volume.id, 'volume.create.start')]);
    await store.apply([transition('finishCreate', { id: volume.id }), event(volume.id, 'volume.create.end')]);
    await finalEvents(store);
    const rows = await readEvents(store, START, 10);
    t.deepEqual(
      rows.map(({ type }) => type),
      ['volume.create.start', 'volume.create.end'],
    );
    const [created, finished] = rows.map(({ payload }) => changeOfPayload(payload)?.volume);
    t.like(created, { ...volume, status: 'creating', revision: 1, launchedAt: null });
    t.deepEqual(
      [...(created?.metadata ?? [])],
      [
        ['__proto__', 'x'],
        ['b', '"'],
      ],
    );
    t.like(finished, { status: 'available', revision: 2, bootable: false, sharedTargets: true });
    t.true(rows.every(({ payload }) => !payload.includes('provider_auth')));
  },
);

storesFor('an event of a volume that is not there gives the unit up', async (t, store) => {
  await t.throwsAsync(store.apply([event('none', 'volume.create.start')]), { instanceOf: RowCountMismatch });
});

storesFor('events are read page by page in one order, each once', async (t, store) => {
  const volumes = await Promise.all(Array.from({ length: 40 }, () => recorded(store)));
  const head = await finalEvents(store);
  const rows: EventRow[] = [];
  for (
    let page = await readEvents(store, START, 7);
    page.length > 0;
    page = await readEvents(store, rows.at(-1) ?? START, 7)
  ) {
    rows.push(...page);
  }
  t.deepEqual(rows.map(({ resourceId }) => resourceId).sort(), volumes.map(({ id }) => id).sort());
  t.deepEqual(rows, rows.toSorted(compareCursors));
  const last = rows.at(-1);
  t.deepEqual(head, last && { tx: last.tx, seq: last.seq });
});

storesFor('a store without events begins at its horizon', async (t, store) => {
  t.like(await eventRange(store), { head: START, horizon: START });
});

postgresTest('an event that commits later than its successor is not passed over', async (t) => {
  const url = await postgresUrl(t);
  const store = new PostgresStore(url);
  t.teardown(() => store.close());
  const first = await recorded(store);
  const head = await finalEvents(store);

  const slow = new pg.Client({ connectionString: url });
  t.teardown(() => slow.end());
  await slow.connect();
  await slow.query('BEGIN');
  const compiled = event(first.id, 'slow').statement;
  const { sql, bind } = compiled.statement.compiled('postgres');
  await slow.query(sql, bind(compiled.values)); // has its numbers, and is not committed
  await store.apply([event(first.id, 'fast')]);
  t.deepEqual(await readEvents(store, head, 10), []);
  t.deepEqual((await eventRange(store)).head, head);
  await slow.query('COMMIT');
  await finalEvents(store);
  t.deepEqual(
    (await readEvents(store, head, 10)).map(({ type }) => type),
    ['slow', 'fast'],
  );
});

postgresTest('a reader that follows many writers sees every event once, in order', async (t) => {
  const url = await postgresUrl(t);
  const open = () => new PostgresStore(url, { maxConnections: 4 });
  const [reader, ...writers] = [open(), open(), open()] as const;
  t.teardown(() => Promise.all([reader, ...writers].map((store) => store.close())));
  const state = { isWriting: true };
  const writing = Promise.all(writers.flatMap((store) => Array.from({ length: 60 }, () => recorded(store)))).finally(
    () => (state.isWriting = false),
  );

  const seen: EventRow[] = [];
  for (let isLast = false; !isLast;) {
    const isOver = !state.isWriting; // before the page is read: what is written meanwhile may not be in it
    if (isOver) await finalEvents(reader);
    const page = await readEvents(reader, seen.at(-1) ?? START, 50);
    seen.push(...page);
    isLast = isOver && page.length === 0;
  }
  const written = await writing;
  t.deepEqual(seen.map(({ resourceId }) => resourceId).sort(), written.map(({ id }) => id).sort());
  t.deepEqual(seen, seen.toSorted(compareCursors));
});
