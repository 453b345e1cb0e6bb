import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Fault } from '../errors/fault.js';
import type { Bound, Compiled } from './statement.js';
import {
  CommitUnknown,
  type Done,
  RowCountMismatch,
  type Step,
  type Store,
  UniqueViolation,
  type Unit,
} from './store.js';

export interface PostgresOptions {
  /** Connections of this process, 1 to 100. @default 10 */
  readonly maxConnections?: number;
  /** How long to wait for a connection, in the pool or to the server, ms. @default 3000 */
  readonly connectTimeoutMs?: number;
  /** How long one statement may take, ms. @default 10000 */
  readonly statementTimeoutMs?: number;
}

/** Beyond it the server is asked no more: whoever waits so long has gone. */
const MAX_WAITING = 2_000;
const MAX_ATTEMPTS = 6;
const FIRST_RETRY_MS = 5;
/** The server cancels a statement first; the rest is for the answer's way. */
const ANSWER_GRACE_MS = 1_000;

/**
 * Records in PostgreSQL. A unit is one transaction in two round trips: its statements travel together, and COMMIT follows
 * when their row counts were seen.
 */
export class PostgresStore implements Store {
  readonly dialect = 'postgres';
  readonly #pool: pg.Pool;
  /** What uses a connection or waits for one: the pool lets those who wait down when it ends. */
  readonly #running = new Set<Promise<unknown>>();
  #isOpen = true;

  constructor(url: string, options: PostgresOptions = {}) {
    const { maxConnections = 10, connectTimeoutMs = 3_000, statementTimeoutMs = 10_000 } = options;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'cinder-grpc',
      max: maxConnections,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + ANSWER_GRACE_MS,
      keepAlive: true,
      types: TYPES,
      pipeline: true, // the statements of a unit do not wait for one another's answers
    });
    // an idle connection that the server closes: the pool drops it, and the next user gets a new one
    this.#pool.on('error', ignore);
    // one that breaks at any other time says so at the next query; between the pool's listener and its user's there is a gap
    this.#pool.on('connect', (client) => client.on('error', ignore));
  }

  async apply(unit: Unit): Promise<readonly Done[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#withClient((client) =>
          isAutocommit(unit) ? applyAlone(client, unit) : applyTogether(client, unit),
        );
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !isConflict(error)) throw error;
        await delay(FIRST_RETRY_MS * 2 ** attempt * Math.random());
      }
    }
  }

  read<Row>(statement: Bound<Row>): Promise<readonly Row[]> {
    return this.#withClient(async (client) => (await query(client, statement)).rows as Row[]);
  }

  /** Lets what runs come to its end first. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await Promise.allSettled(this.#running);
    await this.#pool.end();
  }

  async #withClient<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw new Fault('DatabaseUnavailable', { reason: 'the database was closed' });
    if (this.#pool.waitingCount >= MAX_WAITING) {
      throw new Fault('DatabaseUnavailable', { reason: 'too many wait for a connection' });
    }
    const run = this.#lend(use);
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Lends a connection; one that broke is not given back to the pool. */
  async #lend<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw unavailable(error);
    });
    let isBroken = true;
    try {
      const result = await use(client);
      isBroken = false;
      return result;
    } catch (error) {
      isBroken = !(error instanceof RowCountMismatch || error instanceof UniqueViolation || isRefusal(error));
      throw isOutage(error) ? unavailable(error) : error;
    } finally {
      client.release(isBroken);
    }
  }
}

/** A single statement that needs no check afterwards is a transaction by itself. */
function isAutocommit(unit: Unit): boolean {
  return unit.length === 1 && (unit[0]?.rows ?? 'any') === 'any';
}

async function applyAlone(client: pg.PoolClient, unit: Unit): Promise<readonly Done[]> {
  try {
    return await Promise.all(unit.map(({ statement }, index) => step(client, statement, index)));
  } catch (error) {
    throw isRefusal(error) || error instanceof UniqueViolation ? error : commitUnknown(error);
  }
}

async function applyTogether(client: pg.PoolClient, unit: Unit): Promise<readonly Done[]> {
  try {
    const begun = client.query('BEGIN');
    const answers = await Promise.allSettled([
      begun,
      ...unit.map(({ statement }, index) => step(client, statement, index)),
    ]);
    const done = answers.slice(1).map((answer) => (answer.status === 'fulfilled' ? (answer.value as Done) : undefined));
    // the first refusal is the reason; those behind it only say that the transaction was given up
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
    checkRows(unit, done as readonly Done[]);
    await commit(client);
    return done as readonly Done[];
  } catch (error) {
    if (error instanceof RowCountMismatch || error instanceof UniqueViolation || isRefusal(error))
      await client.query('ROLLBACK');
    throw error;
  }
}

async function commit(client: pg.PoolClient): Promise<void> {
  try {
    await client.query('COMMIT');
  } catch (error) {
    throw isRefusal(error) ? error : commitUnknown(error);
  }
}

function checkRows(unit: Unit, done: readonly Done[]): void {
  for (const [index, { rows = 'any' }] of unit.entries()) {
    const actual = done[index]?.rows ?? 0;
    if (rows !== 'any' && rows !== actual) throw new RowCountMismatch(index, rows, actual);
  }
}

async function step(client: pg.PoolClient, statement: Step['statement'], index: number): Promise<Done> {
  try {
    const { rowCount, rows } = await query(client, statement);
    return { rows: rowCount ?? 0, returned: rows };
  } catch (error) {
    throw stateOf(error) === UNIQUE_VIOLATION ? new UniqueViolation(index, { cause: error }) : error;
  }
}

function query(client: pg.PoolClient, { statement, values }: Bound): Promise<pg.QueryResult<Record<string, unknown>>> {
  const compiled = statement.compiled('postgres');
  const name = compiled.isAdHoc ? {} : { name: nameOf(compiled) };
  return client.query({ ...name, text: compiled.sql, values: compiled.bind(values) });
}

const NAMES = new WeakMap<Compiled, string>();

/** A prepared statement's name, the same for the same text. */
function nameOf(compiled: Compiled): string {
  let name = NAMES.get(compiled);
  if (name === undefined) {
    name = `c_${createHash('sha256').update(compiled.sql).digest('hex').slice(0, 24)}`;
    NAMES.set(compiled, name);
  }
  return name;
}

const UNIQUE_VIOLATION = '23505';

/** PostgreSQL's SQLSTATE, when the server itself answered. */
function stateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** The server lives and said no: the transaction is undone, the connection is sound. */
function isRefusal(error: unknown): boolean {
  const state = stateOf(error);
  return state !== undefined && !isShutdown(state);
}

/** Connection exceptions (08), shutdowns and crashes (57P), too many connections (53300), disk and memory (53, 58). */
function isShutdown(state: string): boolean {
  return /^(08|57P|53|58)/.test(state);
}

/** A serialization failure or a deadlock: the same unit may succeed the next time. */
function isConflict(error: unknown): boolean {
  const state = stateOf(error);
  return state === '40001' || state === '40P01';
}

const QUERY_CANCELED = '57014';
const READ_ONLY_TRANSACTION = '25006';

function isOutage(error: unknown): error is Error {
  if (error instanceof Fault || error instanceof CommitUnknown) return false;
  if (error instanceof RowCountMismatch || error instanceof UniqueViolation || error instanceof TypeError) return false;
  const state = stateOf(error);
  return state === undefined || isShutdown(state) || state === QUERY_CANCELED || state === READ_ONLY_TRANSACTION;
}

function unavailable(cause: unknown): Fault {
  return new Fault('DatabaseUnavailable', { reason: reasonOf(cause) }, { cause });
}

function commitUnknown(cause: unknown): unknown {
  return cause instanceof TypeError ? cause : new CommitUnknown(reasonOf(cause), { cause });
}

/** Several addresses that all refuse are an AggregateError without words of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

function ignore(): void {
  // the next query fails with the reason
}

/** Counts, sums and times are exact as numbers up to 2^53; everything else as pg reads it. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    const isNumber = oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC;
    return isNumber && format !== 'binary'
      ? Number
      : (pg.types.getTypeParser(oid, format) as (value: string) => unknown);
  },
};
