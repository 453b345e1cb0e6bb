import { fdatasync, type NoParamCallback } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { aheadOfDisk } from '#src/db/ahead-of-disk.js';
import { migrateSqlite } from '#src/db/migrate.js';
import { openSqliteFile } from '#src/db/sqlite-file.js';
import { SqliteLog } from '#src/db/sqlite-log.js';
import { SqliteStore } from '#src/db/sqlite-store.js';
import { statement } from '#src/db/statement.js';
import { CommitUnknown, type Step, type Store } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/rpc.js';

const insert = statement<{ name: string }>()(({ db, now }, p) =>
  db.insertInto('secrets').values({ name: p.name, value: 'v', created_at: now }),
);
const names = statement()(({ db }) => db.selectFrom('secrets').select('name').orderBy('name'));

const add = (name: string): Step => ({ statement: insert.with({ name }), rows: 1 });
const kept = async (store: Store) => (await store.read(names.with({}))).map(({ name }) => name);

/** A disk that syncs when the test says so. */
class SlowDisk {
  /** Syncs that were asked for. */
  readonly asked: { readonly descriptor: number; readonly done: NoParamCallback }[] = [];

  readonly sync = (descriptor: number, done: NoParamCallback): void => void this.asked.push({ descriptor, done });

  /** Does what was asked for as the `count`-th sync, or fails with `error`. */
  end(count: number, error?: Error): void {
    const { descriptor, done } = this.asked[count - 1] ?? {};
    if (descriptor === undefined || !done) throw new Error(`sync ${count} was not asked for`);
    if (error) done(error);
    else fdatasync(descriptor, done);
  }
}

/** A migrated embedded database on such a disk. */
async function storeOn(t: ExecutionContext, disk: SlowDisk): Promise<SqliteStore> {
  const path = join(await folderFor(t), 'cinder.db');
  const file = await openSqliteFile(path);
  await migrateSqlite(file);
  return new SqliteStore(file, new SqliteLog(path, disk.sync));
}

/** Says of a promise whether it has ended. */
function watched(promise: Promise<unknown>): { isOver: boolean } {
  const state = { isOver: false };
  void promise.finally(() => (state.isOver = true)).catch(() => undefined);
  return state;
}

test('a unit is answered when it is durable, and a read shows nothing that may yet be lost', async (t) => {
  const disk = new SlowDisk();
  const store = await storeOn(t, disk);
  const unit = store.apply([add('a')]);
  await until('sync 1 is asked for', () => disk.asked.length === 1);
  const read = kept(store);
  const [unitEnd, readEnd] = [watched(unit), watched(read)];
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual([unitEnd.isOver, readEnd.isOver], [false, false]);

  disk.end(1);
  t.is((await unit)[0]?.rows, 1);
  t.deepEqual(await read, ['a']);
  await store.close();
});

test('work that runs ahead of the disk is answered when it is written; what others are told waits for it', async (t) => {
  const disk = new SlowDisk();
  const store = await storeOn(t, disk);
  const ahead = aheadOfDisk(store);

  t.is((await ahead.apply([add('a')]))[0]?.rows, 1);
  t.deepEqual(await kept(ahead), ['a']);
  await t.throwsAsync(ahead.apply([add('a')]), { name: 'UniqueViolation' });
  const [read, unit] = [kept(store), store.apply([add('b')])];
  const [readEnd, unitEnd] = [watched(read), watched(unit)];
  await until('sync 1 is asked for', () => disk.asked.length === 1);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual([readEnd.isOver, unitEnd.isOver], [false, false]);
  t.deepEqual(await kept(ahead), ['a', 'b']);

  disk.end(1);
  t.deepEqual(await read, ['a']);
  await until('sync 2 is asked for', () => disk.asked.length === 2);
  t.false(unitEnd.isOver, 'it was committed after sync 1 had begun');
  disk.end(2);
  await unit;
  await store.close();
});

test('work that runs ahead of a disk that fails goes no further', async (t) => {
  const disk = new SlowDisk();
  const store = await storeOn(t, disk);
  const ahead = aheadOfDisk(store);
  await ahead.apply([add('a')]);
  await until('sync 1 is asked for', () => disk.asked.length === 1);
  disk.end(1, new Error('EIO: i/o error, fdatasync'));

  await t.throwsAsync(kept(store), { name: 'DatabaseUnavailable' });
  await t.throwsAsync(ahead.apply([add('b')]), { name: 'DatabaseUnavailable' });
  await t.throwsAsync(kept(ahead), { name: 'DatabaseUnavailable' });
  await store.close();
});

test('what is committed while a sync runs shares the next one', async (t) => {
  const disk = new SlowDisk();
  const store = await storeOn(t, disk);
  const first = store.apply([add('a')]);
  await until('sync 1 is asked for', () => disk.asked.length === 1);
  const others = ['b', 'c', 'd'].map(async (name) => {
    await new Promise((resolve) => setTimeout(resolve, name.charCodeAt(0) - 90));
    return store.apply([add(name)]);
  });
  const refused = store.apply([add('a')]);
  const refusal = watched(refused);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(disk.asked.length, 1);
  t.false(refusal.isOver, 'a refusal too rests on what is not durable yet');

  disk.end(1);
  await first;
  await until('sync 2 is asked for', () => disk.asked.length === 2);
  disk.end(2);
  await Promise.all(others);
  await t.throwsAsync(refused, { name: 'UniqueViolation' });
  t.is(disk.asked.length, 2);
  t.deepEqual(await kept(store), ['a', 'b', 'c', 'd']);
  await store.close();
});

test('after a sync that failed nobody knows about the commit, and nothing more is taken', async (t) => {
  const disk = new SlowDisk();
  const store = await storeOn(t, disk);
  const units = [store.apply([add('a')]), store.apply([add('b')])];
  await until('sync 1 is asked for', () => disk.asked.length === 1);
  const read = kept(store);
  disk.end(1, new Error('EIO: i/o error, fdatasync'));

  for (const unit of units) await t.throwsAsync(unit, { instanceOf: CommitUnknown });
  await t.throwsAsync(read, { name: 'DatabaseUnavailable' });
  const refusal = await t.throwsAsync(store.apply([add('c')]), { name: 'DatabaseUnavailable' });
  t.true(Fault.is(refusal, 'DatabaseUnavailable') && refusal.facts.reason.includes('restart'));
  await t.throwsAsync(kept(store), { name: 'DatabaseUnavailable' });
  t.is(disk.asked.length, 1);
  await store.close();
});

test('a store that closes waits until everything is durable', async (t) => {
  const disk = new SlowDisk();
  const store = await storeOn(t, disk);
  const unit = store.apply([add('a')]);
  const closing = store.close();
  const end = watched(closing);
  await until('sync 1 is asked for', () => disk.asked.length === 1);
  t.false(end.isOver);
  disk.end(1);
  await unit;
  await closing;
  t.is(disk.asked.length, 1);
});
