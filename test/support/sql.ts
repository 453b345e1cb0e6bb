import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { migrate } from '#src/db/migrate.js';
import { openStore, type StoreOptions } from '#src/db/open-store.js';
import type { Store } from '#src/db/store.js';
import { folderFor } from './folder.js';
import { hasPostgres, PostgresServer } from './postgres-server.js';

/** A migrated embedded database of this test's own. */
export async function sqliteStore(t: ExecutionContext): Promise<Store> {
  const folder = await folderFor(t);
  return open(t, `sqlite:${join(folder, 'cinder.db')}`);
}

/** A migrated PostgreSQL database of this test's own, on the server that the tests of this file share. */
export async function postgresStore(t: ExecutionContext, options?: StoreOptions): Promise<Store> {
  return open(t, await postgresUrl(t), options);
}

/** The URL of a migrated PostgreSQL database of this test's own. */
export async function postgresUrl(t: ExecutionContext): Promise<string> {
  shared ??= startShared();
  const server = await shared;
  const name = await server.createDatabase(TEMPLATE);
  t.teardown(() => server.dropDatabase(name));
  return server.url(name);
}

/** Registers a test twice: on an embedded file and on PostgreSQL; the second is skipped where PostgreSQL is missing. */
export function storesFor(title: string, run: (t: ExecutionContext, store: Store) => Promise<void>): void {
  test(`${title} (SQLite)`, async (t) => run(t, await sqliteStore(t)));
  postgresTest(`${title} (PostgreSQL)`, async (t) => run(t, await postgresStore(t)));
}

/** A test that needs PostgreSQL. */
export const postgresTest = hasPostgres ? test : test.skip;

/** A PostgreSQL server of this test's own, to be stopped and started. */
export async function postgresServer(t: ExecutionContext): Promise<PostgresServer> {
  const server = await PostgresServer.start();
  t.teardown(() => server.destroy());
  return server;
}

async function open(t: ExecutionContext, url: string, options?: StoreOptions): Promise<Store> {
  const store = await openStore(url, options);
  t.teardown(() => store.close());
  return store;
}

const TEMPLATE = 'cinder_template';
let shared: Promise<PostgresServer> | undefined;

async function startShared(): Promise<PostgresServer> {
  const server = await PostgresServer.start();
  await server.createDatabase('template1', TEMPLATE);
  await migrate(server.url(TEMPLATE));
  return server;
}

test.after.always('PostgreSQL is stopped', async () => {
  await (await shared)?.destroy();
});
