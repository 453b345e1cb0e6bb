import test from 'ava';
import { sql } from 'kysely';
import { statement } from '#src/db/statement.js';
import { RowCountMismatch, type Store, type Step, UniqueViolation } from '#src/db/store.js';
import { storesFor } from '../support/sql.js';

const insert = statement<{ name: string; value: string }>()(({ db, now }, p) =>
  db.insertInto('secrets').values({ name: p.name, value: p.value, created_at: now }),
);
const insertReturning = statement<{ name: string }>()(({ db, now }, p) =>
  db.insertInto('secrets').values({ name: p.name, value: 'v', created_at: now }).returning(['name', 'created_at']),
);
const update = statement<{ value: string }>()(({ db }, p) => db.updateTable('secrets').set({ value: p.value }));
const names = statement()(({ db }) => db.selectFrom('secrets').select('name').orderBy('name'));
const clock = statement()(({ db, now }) => db.selectNoFrom(now.as('now')));

const add = (name: string): Step => ({ statement: insert.with({ name, value: 'v' }), rows: 1 });
const all = (value: string, rows: number): Step => ({ statement: update.with({ value }), rows });
const kept = async (store: Store) => (await store.read(names.with({}))).map(({ name }) => name);

storesFor('a unit is written whole', async (t, store) => {
  await store.apply([add('a'), add('b')]);
  t.deepEqual(await kept(store), ['a', 'b']);
});

storesFor('a text that was cut in the middle of a character is written with a mark in its place', async (t, store) => {
  await store.apply([add('half \u{1f4be}'.slice(0, -1))]);
  t.deepEqual(await kept(store), ['half \ufffd']);
});

storesFor('a unit whose row count is wrong leaves nothing behind and says which statement', async (t, store) => {
  const error = await t.throwsAsync(store.apply([add('a'), all('w', 5)]), { instanceOf: RowCountMismatch });
  t.deepEqual(
    { step: error.step, expected: error.expected, actual: error.actual },
    { step: 1, expected: 5, actual: 1 },
  );
  t.deepEqual(await kept(store), []);
});

storesFor('a single statement that touches too many rows is undone too', async (t, store) => {
  await store.apply([add('a'), add('b')]);
  await t.throwsAsync(store.apply([all('w', 1)]), { instanceOf: RowCountMismatch });
  const values = statement()(({ db }) => db.selectFrom('secrets').select('value').distinct());
  t.deepEqual(await store.read(values.with({})), [{ value: 'v' }]);
});

storesFor('a taken key is a UniqueViolation that names the statement', async (t, store) => {
  await store.apply([add('a')]);
  const error = await t.throwsAsync(store.apply([add('b'), add('a')]), { instanceOf: UniqueViolation });
  t.is(error.step, 1);
  t.deepEqual(await kept(store), ['a']);
});

storesFor('a unit that fails does not undo its neighbours of the same turn', async (t, store) => {
  const units = [
    [add('a')],
    [add('b'), add('a')],
    [add('c'), all('w', 9)],
    [add('d')],
    [add('a')],
    [add('e'), add('f')],
  ];
  const ended = await Promise.allSettled(units.map((unit) => store.apply(unit)));
  // two of the units want the same key; on PostgreSQL either may be first
  const taken = ended.filter((end) => end.status === 'rejected' && end.reason instanceof UniqueViolation);
  t.is(taken.length, 2);
  t.true(ended[2]?.status === 'rejected' && ended[2].reason instanceof RowCountMismatch);
  const rows = await kept(store);
  t.true(['a', 'd', 'e', 'f'].every((name) => rows.includes(name)));
  t.is(rows.includes('b'), ended[1]?.status === 'fulfilled');
  t.false(rows.includes('c'));
});

storesFor('more units than fit one transaction are all written, and each is answered', async (t, store) => {
  const done = await Promise.all(Array.from({ length: 700 }, (_, i) => store.apply([add(`n${i}`)])));
  t.true(done.every(([first]) => first?.rows === 1));
  t.is((await kept(store)).length, 700);
});

storesFor('what a statement returns and how many rows it touched come back in order', async (t, store) => {
  const [first, second, third] = await store.apply([
    add('a'),
    { statement: insertReturning.with({ name: 'b' }), rows: 1 },
    { statement: names.with({}) },
  ]);
  t.deepEqual(first, { rows: 1, returned: [] });
  t.is(second?.returned[0]?.['name'], 'b');
  t.is(typeof second?.returned[0]?.['created_at'], 'number');
  t.deepEqual(third, { rows: 2, returned: [{ name: 'a' }, { name: 'b' }] });
});

storesFor('the clock of the database is in whole milliseconds and runs with this one', async (t, store) => {
  const before = Date.now();
  const [row] = await store.read(clock.with({}));
  t.true(Number.isInteger(row?.now));
  t.true(Math.abs((row?.now ?? 0) - before) < 5_000);
});

storesFor('bytes come back as a Buffer, big counts as numbers', async (t, store) => {
  const payload = Buffer.from([0, 1, 255, 128]);
  const insertWorker = statement<{ payload: Buffer; at: number }>()(({ db }, p) =>
    db.insertInto('workers').values({
      ...{
        resource_type: 'Volume',
        resource_id: 'r',
        status: 'creating',
        method: 'M',
        binary: 'b',
        payload: p.payload,
      },
      ...{ payload_version: '3.0', context: '{}', state: 'staged', epoch: 1, claims: 0, sends: 0, not_before: p.at },
      ...{ send_until: 0, created_at: 0, updated_at: 0 },
    }),
  );
  const read = statement()(({ db }) =>
    db
      .selectFrom('workers')
      .select([
        'payload',
        'not_before',
        sql<number>`count(*) over ()`.as('n'),
        sql<number>`sum(not_before) over ()`.as('s'),
      ]),
  );
  await store.apply([{ statement: insertWorker.with({ payload, at: 2 ** 40 }) }]);
  const [row] = await store.read(read.with({}));
  t.true(Buffer.isBuffer(row?.payload));
  t.deepEqual(row, { payload, not_before: 2 ** 40, n: 1, s: 2 ** 40 });
});

storesFor('a value that no database knows is refused before it reaches the driver', async (t, store) => {
  for (const value of [true, undefined, Number.NaN, {}]) {
    const bad = value as unknown as string; // what a caller without types might hand in
    await t.throwsAsync(store.apply([{ statement: insert.with({ name: 'a', value: bad }) }]), {
      instanceOf: TypeError,
    });
  }
  await store.apply([add('b')]);
  t.deepEqual(await kept(store), ['b']);
});

storesFor('texts are sorted by code point', async (t, store) => {
  for (const name of ['b', 'a', 'B', 'ä', 'Z', '_']) await store.apply([add(name)]);
  t.deepEqual(await kept(store), ['B', 'Z', '_', 'a', 'b', 'ä']);
});

storesFor('a statement of one row answers it, or none, and stands in the way of nothing after it', async (t, store) => {
  const addOne = statement<{ name: string }>({ isSingle: true })(({ db, now }, p) =>
    db.insertInto('secrets').values({ name: p.name, value: 'v', created_at: now }).returning('name'),
  );
  const findOne = statement<{ name: string }>({ isSingle: true })(({ db }, p) =>
    db.selectFrom('secrets').select(['name', 'value']).where('name', '=', p.name),
  );
  const one = (name: string): Step => ({ statement: addOne.with({ name }), rows: 1 });
  const [done] = await store.apply([one('a')]);
  t.deepEqual(done, { rows: 1, returned: [{ name: 'a' }] });
  t.deepEqual(await store.read(findOne.with({ name: 'a' })), [{ name: 'a', value: 'v' }]);
  t.deepEqual(await store.read(findOne.with({ name: 'b' })), []);
  // one that fails has all done over, each in its own savepoint
  const outcomes = await Promise.allSettled([
    store.apply([one('b')]),
    store.apply([one('a')]),
    store.apply([one('c')]),
  ]);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.true((outcomes[1] as PromiseRejectedResult).reason instanceof UniqueViolation);
  t.deepEqual(await kept(store), ['a', 'b', 'c']);
});

storesFor('a closed store answers DatabaseUnavailable', async (t, store) => {
  const last = store.apply([add('a')]);
  await store.close();
  await t.notThrowsAsync(last);
  for (const answer of [store.apply([add('b')]), store.read(names.with({}))]) {
    await t.throwsAsync(answer, { name: 'DatabaseUnavailable' });
  }
});

test('a statement is built once a dialect, however often it is bound', (t) => {
  let built = 0;
  const counted = statement<{ name: string }>()(({ db }, p) => {
    built++;
    return db.selectFrom('secrets').select('value').where('name', '=', p.name);
  });
  for (const name of ['a', 'b'])
    t.deepEqual(counted.with({ name }).statement.compiled('sqlite').bind({ name }), [name]);
  t.is(counted.compiled('sqlite').sql, 'select "value" from "secrets" where "name" = ?');
  t.is(counted.compiled('postgres').sql, 'select "value" from "secrets" where "name" = $1');
  t.is(built, 2);
});
