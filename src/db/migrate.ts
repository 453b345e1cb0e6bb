import { Kysely, PostgresDialect, sql, SqliteDialect } from 'kysely';
import pg from 'pg';
import { Fault } from '../errors/fault.js';
import { createTables } from './migrations/0001-first.js';
import { indexVolumeLists } from './migrations/0002-volume-lists.js';
import { createQuotaRecords } from './migrations/0003-quota-records.js';
import { indexNamesOnStorage } from './migrations/0004-names-on-storage.js';
import { createLeftovers } from './migrations/0005-leftovers.js';
import { thinOutEventIndexes } from './migrations/0006-event-indexes.js';
import type { Schema } from './schema.js';
import { closeSqliteFile, openSqliteFile, type SqliteFile } from './sqlite-file.js';
import { type DialectName, statement } from './statement.js';
import type { Store } from './store.js';

/** One step of the schema. Expand first, contract a release later: a running program of the release before must go on. */
interface Migration {
  readonly version: number;
  /** The oldest program, by its own newest migration, that works with the schema after this step. */
  readonly compatibleFrom: number;
  readonly up: (db: Kysely<Schema>, dialect: DialectName) => Promise<void>;
}

const MIGRATIONS: readonly Migration[] = [
  { version: 1, compatibleFrom: 1, up: createTables },
  { version: 2, compatibleFrom: 1, up: indexVolumeLists },
  { version: 3, compatibleFrom: 1, up: createQuotaRecords },
  { version: 4, compatibleFrom: 1, up: indexNamesOnStorage },
  { version: 5, compatibleFrom: 1, up: createLeftovers },
  { version: 6, compatibleFrom: 1, up: thinOutEventIndexes },
];

/** The schema this program was written for. */
export const SCHEMA_VERSION = MIGRATIONS.length;
/** The oldest schema it still works with: the last one that brought a table which it writes. */
const OLDEST_SCHEMA = 5;

export interface Migrated {
  /** 0: there was nothing. */
  readonly from: number;
  readonly to: number;
}

/**
 * Brings the database at `url` to this program's schema, in one transaction, one migrator at a time; repeating it changes
 * nothing. Throws Fault `DatabaseSchemaUnsupported` when a newer program has migrated it beyond what this one knows.
 */
export async function migrate(url: string): Promise<Migrated> {
  if (!url.startsWith('sqlite:')) return migratePostgres(url);
  const file = await openSqliteFile(url.slice('sqlite:'.length));
  try {
    return await migrateSqlite(file);
  } finally {
    closeSqliteFile(file);
  }
}

/** As `migrate`, for a file that is open. */
export async function migrateSqlite(file: SqliteFile): Promise<Migrated> {
  const db = new Kysely<Schema>({
    dialect: new SqliteDialect({
      // the file outlives this Kysely
      database: { prepare: (text) => file.prepare(text), close: () => undefined },
    }),
  });
  return inTransaction(db, 'sqlite');
}

/** A schema, and the oldest program, by its own newest migration, that works with it. */
export interface SchemaFacts {
  readonly version: number;
  readonly compatibleFrom: number;
}

/** The schema this program would migrate to. */
export const OWN_SCHEMA: SchemaFacts = {
  version: SCHEMA_VERSION,
  compatibleFrom: MIGRATIONS.at(-1)?.compatibleFrom ?? 1,
};

/** The schema that a store has; undefined: nobody has migrated it yet. */
export async function schemaOf(store: Store): Promise<SchemaFacts | undefined> {
  const [table] = await store.read(versionTable.with({}));
  const [found] = table?.name ? await store.read(schemaVersion.with({})) : [];
  return found && { version: found.version, compatibleFrom: found.compatible_from };
}

/** Throws Fault `DatabaseSchemaUnsupported` unless this program works with the schema that the store has. */
export async function checkSchema(store: Store): Promise<void> {
  const found = await schemaOf(store);
  if (!found) throw unsupported('none', 'Run `cinder-grpc db migrate` first.');
  if (found.version < OLDEST_SCHEMA) throw unsupported(String(found.version), 'Run `cinder-grpc db migrate` first.');
  if (found.compatibleFrom > SCHEMA_VERSION)
    throw unsupported(String(found.version), 'Use a newer version of this program.');
}

const versionTable = statement()(({ db }) =>
  db.selectNoFrom(sql<string | null>`to_regclass('schema_version')::text`.as('name')),
);

const schemaVersion = statement()(({ db }) => db.selectFrom('schema_version').select(['version', 'compatible_from']));

async function migratePostgres(url: string): Promise<Migrated> {
  const pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  pool.on('error', () => undefined); // the query that needs the connection says what is wrong
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  try {
    return await inTransaction(db, 'postgres');
  } catch (cause) {
    if (cause instanceof Fault || cause instanceof pg.DatabaseError) throw cause;
    throw new Fault(
      'DatabaseUnavailable',
      { reason: cause instanceof Error ? cause.message : String(cause) },
      { cause },
    );
  } finally {
    await db.destroy();
  }
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Any number that no other program takes in the same database. */
const MIGRATION_LOCK = 8_776_001;

function inTransaction(db: Kysely<Schema>, dialect: DialectName): Promise<Migrated> {
  return db.transaction().execute(async (transaction) => {
    if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(transaction);
    const found = await foundVersion(transaction);
    if (found.compatible_from > SCHEMA_VERSION) {
      throw unsupported(String(found.version), 'Use a newer version of this program.');
    }
    for (const { version, compatibleFrom, up } of MIGRATIONS) {
      if (version <= found.version) continue;
      await up(transaction, dialect);
      await transaction.deleteFrom('schema_version').execute();
      await transaction.insertInto('schema_version').values({ version, compatible_from: compatibleFrom }).execute();
    }
    return { from: found.version, to: Math.max(found.version, SCHEMA_VERSION) };
  });
}

async function foundVersion(db: Kysely<Schema>): Promise<Schema['schema_version']> {
  await db.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('compatible_from', 'integer', (column) => column.notNull())
    .execute();
  const found = await db.selectFrom('schema_version').selectAll().executeTakeFirst();
  return found ?? { version: 0, compatible_from: 0 };
}

function unsupported(found: string, advice: string): Fault {
  return new Fault('DatabaseSchemaUnsupported', { found, supported: `${OLDEST_SCHEMA} to ${SCHEMA_VERSION}`, advice });
}
