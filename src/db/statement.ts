import {
  type Compilable,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Schema } from './schema.js';

export type DialectName = 'sqlite' | 'postgres';

/** What a statement is built with: a query builder that only compiles, and what the dialects say differently. */
export interface Tools {
  readonly db: Kysely<Schema>;
  readonly dialect: DialectName;
  /** The database's clock, ms. */
  readonly now: RawBuilder<number>;
}

/** A statement with its values, ready for `store.apply` or `store.read`. */
export interface Bound<Row = unknown> {
  readonly statement: Statement<never, Row>;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The text of a statement in one dialect. */
export interface Compiled {
  readonly sql: string;
  /** The values in the order of the text. */
  readonly bind: (values: Readonly<Record<string, unknown>>) => unknown[];
  /** Not kept by the server: planned anew each time, for the values at hand. */
  readonly isAdHoc: boolean;
  /** It answers one row at most. */
  readonly isSingle: boolean;
}

/** What is known of a statement beside its text. */
export interface StatementOptions {
  /** One of so many texts that servers must not keep each. @default false */
  readonly isAdHoc?: boolean;
  /** It names one row, by a key: whoever runs it need not look for a second. @default false */
  readonly isSingle?: boolean;
}

/**
 * A statement that is built with Kysely once a dialect and then only bound: building costs more than running.
 * Two rules for `build`: every changing value comes from `p`, and no branch depends on one.
 */
export class Statement<Params extends object, Row = unknown> {
  readonly #build: (tools: Tools, p: Params) => Compilable<Row>;
  readonly #compiled = new Map<DialectName, Compiled>();
  readonly #options: StatementOptions;

  constructor(build: (tools: Tools, p: Params) => Compilable<Row>, options: StatementOptions = {}) {
    this.#build = build;
    this.#options = options;
  }

  with(params: Params): Bound<Row> {
    return { statement: this, values: params as Readonly<Record<string, unknown>> };
  }

  compiled(dialect: DialectName): Compiled {
    let compiled = this.#compiled.get(dialect);
    if (!compiled) {
      const query = this.#build(TOOLS[dialect], placeholders as Params).compile();
      const { isAdHoc = false, isSingle = false } = this.#options;
      compiled = { sql: query.sql, bind: binder(query.parameters), isAdHoc, isSingle };
      this.#compiled.set(dialect, compiled);
    }
    return compiled;
  }
}

/** Of a statement without parameters. */
export type NoParams = Readonly<Record<string, never>>;

/** `statement<{ id: string }>()(({ db }, p) => db.selectFrom('volumes').selectAll().where('id', '=', p.id))` */
export function statement<Params extends object = NoParams>(
  options?: StatementOptions,
): <Row>(build: (tools: Tools, p: Params) => Compilable<Row>) => Statement<Params, Row> {
  return (build) => new Statement(build, options);
}

class Placeholder {
  constructor(readonly name: string) {}
}

/** Stands for the parameters while a statement is built: reading `p.id` gives a placeholder for `id`. */
const placeholders: unknown = new Proxy(
  {},
  { get: (_target, name) => (typeof name === 'string' ? new Placeholder(name) : undefined) },
);

function binder(parameters: readonly unknown[]): Compiled['bind'] {
  const names = parameters.map((parameter) => (parameter instanceof Placeholder ? parameter.name : undefined));
  return (values) => {
    const bound = parameters.slice();
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (name !== undefined) bound[i] = checked(name, values[name]);
    }
    return bound;
  };
}

/**
 * The drivers disagree about anything else: libsql ends the process at a boolean, and at half a character, which a text has
 * that was cut between two; and it reads undefined as null.
 */
function checked(name: string, value: unknown): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (value === null || Number.isFinite(value) || value instanceof Uint8Array) return value;
  throw new TypeError(`a value of type ${typeof value} cannot be bound to ${name}`);
}

/** The database's clock, ms since 1970. */
export const NOW: Readonly<Record<DialectName, RawBuilder<number>>> = {
  sqlite: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
  postgres: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
};

/**
 * Since a moment, ms. One before 1970, which nobody but a hand writes, counts as 1970: a difference that is too large for the
 * database would fail all that is read with it. An embedded database keeps a text that is no moment: that is as long ago.
 */
export function since(now: RawBuilder<number>, moment: string | RawBuilder<number>): RawBuilder<number> {
  return sql<number>`${now} - ${notBefore1970(moment)}`;
}

/** Until a moment, ms; as `since`. */
export function until(now: RawBuilder<number>, moment: string | RawBuilder<number>): RawBuilder<number> {
  return sql<number>`${notBefore1970(moment)} - ${now}`;
}

function notBefore1970(moment: string | RawBuilder<number>): RawBuilder<number> {
  const at = typeof moment === 'string' ? sql.ref<number>(moment) : moment;
  return sql<number>`case when ${at} < 0 then 0 else ${at} end`;
}

const TOOLS: Readonly<Record<DialectName, Tools>> = {
  sqlite: {
    dialect: 'sqlite',
    db: new Kysely<Schema>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new SqliteIntrospector(db),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    }),
    now: NOW.sqlite,
  },
  postgres: {
    dialect: 'postgres',
    db: new Kysely<Schema>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    }),
    now: NOW.postgres,
  },
};
