import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { sql } from 'kysely';
import pg from 'pg';
import { Fault } from '#src/errors/fault.js';
import { migrate } from '#src/db/migrate.js';
import { PostgresStore } from '#src/db/postgres-store.js';
import { statement } from '#src/db/statement.js';
import { CommitUnknown, type Step } from '#src/db/store.js';
import { eventually } from '../support/redis.js';
import { postgresServer, postgresTest, postgresUrl } from '../support/sql.js';

const insert = statement<{ name: string }>()(({ db, now }, p) =>
  db.insertInto('secrets').values({ name: p.name, value: 'v', created_at: now }),
);
const set = statement<{ name: string; value: string }>()(({ db }, p) =>
  db.updateTable('secrets').set({ value: p.value }).where('name', '=', p.name),
);
const names = statement()(({ db }) => db.selectFrom('secrets').select('name').orderBy('name'));
const sleep = statement<{ seconds: number }>()(({ db }, p) =>
  db.selectNoFrom(sql<string>`pg_sleep(${p.seconds}::float8)::text`.as('slept')),
);
const killMyself = statement()(({ db }) =>
  db.selectNoFrom(sql<boolean>`pg_terminate_backend(pg_backend_pid())`.as('killed')),
);
const add = (name: string): Step => ({ statement: insert.with({ name }), rows: 1 });

postgresTest(
  'a stopped server is DatabaseUnavailable in a bounded time, and a started one is used again',
  async (t) => {
    const server = await postgresServer(t);
    const url = server.url(await server.createDatabase('template1'));
    await migrate(url);
    const store = new PostgresStore(url, { connectTimeoutMs: 1_000 });
    t.teardown(() => store.close());
    await store.apply([add('before'), add('too')]);

    await server.stop();
    const begun = Date.now();
    const outage = await Promise.allSettled([
      store.apply([add('a'), add('b')]),
      store.apply([add('c')]),
      store.read(names.with({})),
    ]);
    t.deepEqual(
      outage.map((end) => end.status === 'rejected' && (end.reason as Error).name),
      Array.from({ length: 3 }, () => 'DatabaseUnavailable'),
    );
    t.true(Date.now() - begun < 5_000);
    t.is(outage[0].status === 'rejected' && (outage[0].reason as Fault).retryAfterMs, 1_000);

    await server.start();
    await store.apply([add('after')]);
    t.deepEqual(
      (await store.read(names.with({}))).map(({ name }) => name),
      ['after', 'before', 'too'],
    );
  },
);

test('a server that takes connections and never answers is DatabaseUnavailable in a bounded time', async (t) => {
  const mute = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  t.teardown(() => mute.close());
  const { port } = mute.address() as { port: number };
  const store = new PostgresStore(`postgres://u@127.0.0.1:${port}/d`, { connectTimeoutMs: 300 });
  t.teardown(() => store.close());
  const error = await t.throwsAsync(store.read(names.with({})), { name: 'DatabaseUnavailable' });
  t.regex(error instanceof Fault ? JSON.stringify(error.facts) : '', /timeout/);
});

test('a server that goes away in the very moment it has let somebody in ends no process', async (t) => {
  // "you are in", "ready", "terminating connection due to administrator command": in one piece
  const letter = (kind: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(kind);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const farewell = letter('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'));
  const words = Buffer.concat([letter('R', Buffer.alloc(4)), letter('Z', Buffer.from('I')), farewell]);
  const leaving = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(words));
  }).listen(0, '127.0.0.1');
  await once(leaving, 'listening');
  t.teardown(() => leaving.close());
  const { port } = leaving.address() as { port: number };
  const store = new PostgresStore(`postgres://u@127.0.0.1:${port}/d`);
  t.teardown(() => store.close());
  await t.throwsAsync(store.read(names.with({})), { name: 'DatabaseUnavailable' });
});

postgresTest(
  'a connection that is lost before COMMIT wrote nothing; a lone statement may have been written',
  async (t) => {
    const store = new PostgresStore(await postgresUrl(t));
    t.teardown(() => store.close());
    await t.throwsAsync(store.apply([add('a'), { statement: killMyself.with({}) }]), { name: 'DatabaseUnavailable' });
    await t.throwsAsync(store.apply([{ statement: killMyself.with({}) }]), { instanceOf: CommitUnknown });
    t.deepEqual(await store.read(names.with({})), []);
  },
);

postgresTest('a connection that is lost during COMMIT is CommitUnknown', async (t) => {
  const url = await postgresUrl(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // a constraint that is checked at COMMIT, and whose check ends the connection
  await client.query(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`);
  await client.query(`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON secrets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()`);
  await client.end();
  const store = new PostgresStore(url);
  t.teardown(() => store.close());
  await t.throwsAsync(store.apply([add('a'), add('b')]), { instanceOf: CommitUnknown });
});

postgresTest('of two units in a deadlock both are written in the end', async (t) => {
  const store = new PostgresStore(await postgresUrl(t));
  t.teardown(() => store.close());
  await store.apply([add('a'), add('b')]);
  const pause: Step = { statement: sleep.with({ seconds: 0.2 }) };
  const write = (name: string, value: string): Step => ({ statement: set.with({ name, value }), rows: 1 });
  await t.notThrowsAsync(
    Promise.all([
      store.apply([write('a', '1'), pause, write('b', '1')]),
      store.apply([write('b', '2'), pause, write('a', '2')]),
    ]),
  );
});

postgresTest('a statement that takes too long is given up, and its connection is used again', async (t) => {
  const store = new PostgresStore(await postgresUrl(t), { statementTimeoutMs: 100, maxConnections: 1 });
  t.teardown(() => store.close());
  await t.throwsAsync(store.read(sleep.with({ seconds: 5 })), { name: 'DatabaseUnavailable' });
  await t.throwsAsync(store.apply([add('a'), { statement: sleep.with({ seconds: 5 }) }]), {
    name: 'DatabaseUnavailable',
  });
  t.deepEqual(await store.read(names.with({})), []);
});

postgresTest('more callers than connections are served one after the other', async (t) => {
  const store = new PostgresStore(await postgresUrl(t), { maxConnections: 2 });
  t.teardown(() => store.close());
  await Promise.all(Array.from({ length: 50 }, (_, i) => store.apply([add(`n${i}`), { statement: names.with({}) }])));
  t.is((await store.read(names.with({}))).length, 50);
});

postgresTest('a server that has no connection left is DatabaseUnavailable until there is one', async (t) => {
  const url = await postgresUrl(t);
  const role = `narrow_${randomUUID().replaceAll('-', '')}`;
  const admin = await connected(url);
  t.teardown(() => admin.end());
  await admin.query(`CREATE ROLE ${role} LOGIN CONNECTION LIMIT 1`);
  await admin.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
  const narrow = url.replace('cinder@', `${role}@`);
  const other = await connected(narrow);
  const store = new PostgresStore(narrow, { maxConnections: 2 });
  t.teardown(() => store.close());

  for (const ask of [() => store.apply([add('a')]), () => store.apply([add('a'), add('b')])]) {
    const error = await t.throwsAsync(ask());
    t.true(Fault.is(error, 'DatabaseUnavailable') && /too many connections/.test(error.facts.reason));
  }

  await other.end();
  await eventually('the connection is free', async () =>
    store.apply([add('a')]).then(
      () => true,
      () => false,
    ),
  );
});

postgresTest('an idle connection that the server closes is replaced unnoticed', async (t) => {
  const url = await postgresUrl(t);
  const store = new PostgresStore(url, { maxConnections: 3 });
  t.teardown(() => store.close());
  await Promise.all([1, 2, 3].map(() => store.read(names.with({}))));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
  );
  await client.end();
  const deadline = Date.now() + 5_000;
  for (let answers = 0; answers < 3 && Date.now() < deadline;) {
    const ended = await Promise.allSettled([1, 2, 3].map(() => store.read(names.with({}))));
    answers = ended.filter(({ status }) => status === 'fulfilled').length; // until the news has arrived
    await delay(20);
  }
  await t.notThrowsAsync(store.apply([add('a'), add('b')]));
});

async function connected(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
