import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { sql } from 'kysely';
import pg from 'pg';
import {
  appendVolumeEvent,
  appendVolumeProgress,
  compareCursors,
  deleteCreationProgress,
  type EventCursor,
  eventRange,
} from '#src/db/events.js';
import { PostgresStore } from '#src/db/postgres-store.js';
import { statement } from '#src/db/statement.js';
import type { Step } from '#src/db/store.js';
import { transition } from '#src/db/volume-transitions.js';
import { insertVolume } from '#src/db/volumes.js';
import { type VolumeChange, VolumeEvents, type VolumeWatch } from '#src/events/watch.js';
import { postgresTest, postgresUrl } from '../support/sql.js';
import { newVolume } from '../support/volumes.js';

const START: EventCursor = { tx: 0, seq: 0 };
const WRITERS = 8;
const TRANSACTIONS = 25;
/** Volumes a transaction records, at most. */
const MOST = 4;

postgresTest(
  'over many resumes a watch misses nothing and repeats nothing, however long the transactions of many writers last',
  async (t) => {
    t.timeout(180_000);
    const url = await postgresUrl(t);
    const store = new PostgresStore(url);
    t.teardown(() => store.close());
    const random = randomFrom(20_261_128);
    const state = { isWriting: true };
    const writing = Promise.all(Array.from({ length: WRITERS }, () => write(t, url, random))).then((ids) => {
      state.isWriting = false;
      return ids.flat();
    });

    const seen: string[] = [];
    let cursor = START;
    let resumes = 0;
    for (let missed = 0; missed < 3;) {
      // a process of its own each time: nothing is remembered but the cursor
      const events = new VolumeEvents(store, { pollMs: 5 });
      const aborting = new AbortController();
      const leaving = setTimeout(() => aborting.abort(), 100 + random() * 200);
      const wanted = 1 + Math.floor(random() * 40);
      const before = seen.length;
      const watching = await events.subscribe({ after: cursor, signal: aborting.signal });
      for await (const { volume, cursor: next } of watching) {
        seen.push(volume.id);
        cursor = next;
        if (seen.length - before >= wanted) break;
      }
      clearTimeout(leaving);
      aborting.abort();
      events.close();
      resumes += 1;
      // a transaction of another test may hold events back for a while
      if (!state.isWriting && seen.length === before && seen.length === (await writing).length) missed += 1;
    }

    const written = await writing;
    t.true(resumes >= 10, `${resumes} resumes`);
    t.is(new Set(seen).size, seen.length, 'nothing is repeated');
    t.deepEqual(seen.toSorted(), written.toSorted(), 'nothing is missed');
  },
);

postgresTest('a watch goes on after progress that was removed since, while an older transaction is open', async (t) => {
  const url = await postgresUrl(t);
  const store = new PostgresStore(url);
  t.teardown(() => store.close());
  const aborting = new AbortController();
  const events = new VolumeEvents(store, { pollMs: 5 });
  t.teardown(() => {
    aborting.abort();
    events.close();
  });
  const volume = newVolume();
  const { id: volumeId } = volume;
  const event = { volumeId, requestId: 'req-1' };
  const created = appendVolumeEvent({ ...event, type: 'volume.create.accepted' });
  await store.apply([...insertVolume(volume), created]);
  await store.apply([appendVolumeProgress({ ...event, type: 'volume.create.progress', percent: 42 })]);
  const [, progress] = await taken(await events.subscribe({ after: START, signal: aborting.signal }), 2);
  t.is(progress?.progressPercent, 42);

  const older = new pg.Client({ connectionString: url });
  await older.connect();
  t.teardown(() => older.end());
  await older.query('BEGIN; SELECT pg_current_xact_id()');
  await store.apply([
    deleteCreationProgress(volumeId),
    transition('finishCreate', { id: volumeId }),
    appendVolumeEvent({ ...event, type: 'volume.create.end' }),
  ]);
  const { head } = await eventRange(store);
  t.true(progress && compareCursors(head, progress.cursor) < 0, 'the newest that is kept comes before the token');
  const next = await store.read(nextTransaction.with({}));
  const ofTheFuture = { tx: Number(next[0]?.tx), seq: 1 };
  await t.throwsAsync(events.subscribe({ after: ofTheFuture, signal: aborting.signal }), { name: 'InvalidInput' });
  const resumed = await events.subscribe({ after: progress?.cursor ?? START, signal: aborting.signal });
  await older.query('COMMIT');

  const [end] = await taken(resumed, 1);
  t.is(end?.volume.status, 'available');
});

/** One that nobody can have begun yet. */
const nextTransaction = statement()(({ db }) =>
  db.selectNoFrom(sql<string>`pg_snapshot_xmax(pg_current_snapshot())::text`.as('tx')),
);

async function taken(watch: VolumeWatch, count: number): Promise<readonly VolumeChange[]> {
  const changes: VolumeChange[] = [];
  for await (const change of watch) if (changes.push(change) === count) break;
  return changes;
}

/** Writes in transactions that last for a while, some of which are rolled back. Answers the ids of volumes that were committed. */
async function write(t: ExecutionContext, url: string, random: () => number): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  const run = async ({ statement: { statement, values } }: Step): Promise<void> => {
    const { sql, bind } = statement.compiled('postgres');
    await client.query(sql, bind(values));
  };
  const committed: string[] = [];
  for (let n = 0; n < TRANSACTIONS; n += 1) {
    const ids: string[] = [];
    await client.query('BEGIN');
    for (let volumes = 1 + Math.floor(random() * MOST); volumes > 0; volumes -= 1) {
      const volume = newVolume();
      for (const step of insertVolume(volume)) await run(step);
      await run(appendVolumeEvent({ volumeId: volume.id, type: 'volume.create.accepted', requestId: 'req-1' }));
      ids.push(volume.id);
      if (random() < 0.5) await delay(random() * 60); // its numbers are taken, and not yet seen
    }
    const isKept = random() < 0.8;
    await client.query(isKept ? 'COMMIT' : 'ROLLBACK');
    if (isKept) committed.push(...ids);
  }
  return committed;
}

/** The same numbers in every run, 0 or more and less than 1 (Lehmer's generator). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
