import { checkSchema, migrateSqlite } from './migrate.js';
import { type PostgresOptions, PostgresStore } from './postgres-store.js';
import { closeSqliteFile, openSqliteFile, type SqliteFileOptions } from './sqlite-file.js';
import { SqliteLog } from './sqlite-log.js';
import { SqliteStore } from './sqlite-store.js';
import type { Store } from './store.js';

export interface StoreOptions {
  readonly sqlite?: SqliteFileOptions;
  readonly postgres?: PostgresOptions;
}

/**
 * Opens the records at `sqlite:PATH` or `postgres://…`. An embedded file is made and migrated on the way; PostgreSQL is
 * only checked, because several programs share it. Throws Fault `DatabaseInUse`, `DatabaseSchemaUnsupported` and
 * `DatabaseUnavailable`, and TypeError for another kind of URL.
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  if (url.startsWith('sqlite:')) return openSqlite(url.slice('sqlite:'.length), options.sqlite);
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url, options.postgres);
  throw new TypeError('a database URL is sqlite:PATH or postgres://user@host/database');
}

async function openSqlite(path: string, options?: SqliteFileOptions): Promise<Store> {
  const file = await openSqliteFile(path, options);
  try {
    await migrateSqlite(file);
    return new SqliteStore(file, new SqliteLog(path));
  } catch (error) {
    closeSqliteFile(file);
    throw error;
  }
}

async function openPostgres(url: string, options?: PostgresOptions): Promise<Store> {
  const store = new PostgresStore(url, options);
  try {
    await checkSchema(store);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
