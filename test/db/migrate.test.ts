import { join } from 'node:path';
import { stat } from 'node:fs/promises';
import test from 'ava';
import Database from 'libsql';
import pg from 'pg';
import { migrate, SCHEMA_VERSION } from '#src/db/migrate.js';
import { openStore } from '#src/db/open-store.js';
import { statement } from '#src/db/statement.js';
import { folderFor } from '../support/folder.js';
import { postgresServer, postgresTest, postgresUrl } from '../support/sql.js';

const NEWER = 'update schema_version set version = 99, compatible_from = 99';
const NEWER_BUT_KIND = 'update schema_version set version = 99, compatible_from = 1';

test('an embedded database is made and migrated when it is opened, for its owner only', async (t) => {
  const path = join(await folderFor(t), 'deep', 'cinder.db');
  const store = await openStore(`sqlite:${path}`);
  t.teardown(() => store.close());
  const version = statement()(({ db }) => db.selectFrom('schema_version').selectAll());
  t.deepEqual(await store.read(version.with({})), [{ version: SCHEMA_VERSION, compatible_from: 1 }]);
  t.is((await stat(path)).mode & 0o077, 0);
});

test('migrating again changes nothing (SQLite)', async (t) => {
  const url = `sqlite:${join(await folderFor(t), 'cinder.db')}`;
  t.deepEqual(await migrate(url), { from: 0, to: SCHEMA_VERSION });
  t.deepEqual(await migrate(url), { from: SCHEMA_VERSION, to: SCHEMA_VERSION });
});

test('an embedded database of a newer program is refused, unless that program says it is compatible', async (t) => {
  const path = join(await folderFor(t), 'cinder.db');
  await migrate(`sqlite:${path}`);
  const change = (text: string) => {
    const database = new Database(path);
    database.exec(text);
    database.close();
  };
  change(NEWER);
  const error = await t.throwsAsync(openStore(`sqlite:${path}`), { name: 'DatabaseSchemaUnsupported' });
  t.regex(error.message, /schema 99.*newer version of this program/);
  change(NEWER_BUT_KIND);
  await t.notThrowsAsync(async () => (await openStore(`sqlite:${path}`)).close());
});

test('a URL of another kind is refused in words', async (t) => {
  await t.throwsAsync(openStore('mysql://localhost/cinder'), {
    instanceOf: TypeError,
    message: /sqlite:PATH or postgres:/,
  });
});

postgresTest('PostgreSQL that was not migrated is refused, and the command is named', async (t) => {
  const server = await postgresServer(t);
  const url = server.url(await server.createDatabase('template1'));
  const error = await t.throwsAsync(openStore(url), { name: 'DatabaseSchemaUnsupported' });
  t.regex(error.message, /schema none.*cinder-grpc db migrate/);
  const migrated = await Promise.all([migrate(url), migrate(url), migrate(url)]);
  t.deepEqual(migrated.map(({ from }) => from).sort(), [0, SCHEMA_VERSION, SCHEMA_VERSION]);
  await t.notThrowsAsync(async () => (await openStore(url)).close());
});

postgresTest('PostgreSQL without a table that this program writes is refused, and the command is named', async (t) => {
  const url = await postgresUrl(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('update schema_version set version = 4');
  await client.query('drop table leftovers');
  await client.end();
  const error = await t.throwsAsync(openStore(url), { name: 'DatabaseSchemaUnsupported' });
  t.regex(error.message, /schema 4.*cinder-grpc db migrate/);
  t.deepEqual(await migrate(url), { from: 4, to: SCHEMA_VERSION });
  await t.notThrowsAsync(async () => (await openStore(url)).close());
});

postgresTest('PostgreSQL of a newer program is refused, unless that program says it is compatible', async (t) => {
  const url = await postgresUrl(t);
  const change = async (text: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await change(NEWER);
  await t.throwsAsync(openStore(url), { name: 'DatabaseSchemaUnsupported' });
  await t.throwsAsync(migrate(url), { name: 'DatabaseSchemaUnsupported' });
  await change(NEWER_BUT_KIND);
  await t.notThrowsAsync(async () => (await openStore(url)).close());
});
