import type Database from 'libsql';
import { Fault } from '../errors/fault.js';
import { closeSqliteFile, isOutage, isUniqueViolation, type SqliteFile } from './sqlite-file.js';
import type { SqliteLog } from './sqlite-log.js';
import type { Bound, Compiled } from './statement.js';
import {
  CommitUnknown,
  type Done,
  RowCountMismatch,
  type Store,
  UniqueViolation,
  type Unit,
  type Until,
} from './store.js';

/** Bounds how long one transaction keeps the event loop. */
const UNITS_A_TRANSACTION = 256;
const MAX_WAITING_UNITS = 20_000;
/**
 * How long units gather while others come beside them, ms: a durable commit costs as much as ten small units, so under load
 * a little waiting saves more than it costs. A unit that comes alone does not wait.
 */
const GATHER_MS = 2;
/** So many do not wait for more. */
const ENOUGH_UNITS = 32;
const MAX_STATEMENTS = 512;

interface Waiting {
  readonly unit: Unit;
  readonly until: Until;
  readonly resolve: (done: readonly Done[]) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly done: readonly Done[] } | { readonly failed: unknown };

interface Settling {
  readonly waiting: Waiting;
  readonly outcome: Outcome;
}

/**
 * Records in an embedded file. The units of one turn of the event loop share a transaction, and so the wait for the disk,
 * which is nearly all that a small unit costs. Nobody is told of what may yet be lost but who says that it may be: units and
 * reads end when all that was committed before them is durable, or `written`.
 */
export class SqliteStore implements Store {
  readonly dialect = 'sqlite';
  readonly #file: SqliteFile;
  readonly #log: SqliteLog;
  readonly #prepared = new Map<Compiled, Prepared>();
  readonly #transaction: Transaction;
  #waiting: Waiting[] = [];
  /** Units that are written and not durable yet. */
  #settlingCount = 0;
  #flushing: NodeJS.Immediate | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #isCrowded = false;
  #isOpen = true;

  /** Takes the file and its log over: `close` closes them. */
  constructor(file: SqliteFile, log: SqliteLog) {
    this.#file = file;
    this.#log = log;
    this.#transaction = new Transaction(file);
  }

  apply(unit: Unit, until: Until = 'durable'): Promise<readonly Done[]> {
    return new Promise((resolve, reject) => {
      this.#requireUsable();
      if (this.#waiting.length + this.#settlingCount >= MAX_WAITING_UNITS)
        throw new Fault('DatabaseUnavailable', { reason: 'too many writes wait' });
      this.#waiting.push({ unit, until, resolve, reject });
      this.#flushSoon();
    });
  }

  async read<Row>(statement: Bound<Row>, until: Until = 'durable'): Promise<readonly Row[]> {
    this.#requireUsable();
    try {
      const { returned } = this.#run(statement);
      if (until === 'durable' && this.#log.wait) await this.#log.wait;
      return returned as readonly Row[];
    } catch (error) {
      throw isOutage(error) || error instanceof CommitUnknown ? unavailable(error) : error;
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    while (this.#waiting.length > 0) this.#flush();
    clearImmediate(this.#flushing);
    clearTimeout(this.#gathering);
    await this.#log.wait?.catch(() => undefined); // those whose units they are, are told
    this.#log.close();
    this.#prepared.clear();
    closeSqliteFile(this.#file);
  }

  #requireUsable(): void {
    if (!this.#isOpen) throw closed();
    if (this.#log.isBroken) throw new Fault('DatabaseUnavailable', { reason: BROKEN });
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    if (this.#isCrowded && this.#waiting.length < ENOUGH_UNITS)
      this.#gathering ??= setTimeout(() => this.#flush(), GATHER_MS);
    else this.#flushing = setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    clearTimeout(this.#gathering);
    this.#flushing = this.#gathering = undefined;
    const units = this.#waiting.splice(0, UNITS_A_TRANSACTION);
    this.#isCrowded = units.length > 1;
    if (this.#waiting.length > 0) this.#flushSoon();
    try {
      this.#answer(units, this.#write(units));
    } catch (error) {
      for (const { reject } of units) reject(error);
    }
  }

  #answer(units: readonly Waiting[], outcomes: readonly Outcome[]): void {
    const settling: Settling[] = [];
    for (const [index, waiting] of units.entries()) {
      const outcome = outcomes[index] as Outcome;
      if (waiting.until === 'written') settle({ waiting, outcome });
      else settling.push({ waiting, outcome });
    }
    if (settling.length > 0) void this.#settle(settling);
  }

  /** A refusal too rests on what was committed before it. */
  async #settle(settling: readonly Settling[]): Promise<void> {
    this.#settlingCount += settling.length;
    try {
      await this.#log.wait;
      for (const each of settling) settle(each);
    } catch (error) {
      for (const { waiting } of settling) waiting.reject(error);
    } finally {
      this.#settlingCount -= settling.length;
    }
  }

  /**
   * All units in one transaction; the outcomes hold once this returns. Throws when no unit was written. Units seldom fail,
   * and savepoints cost as much as statements: only when one of several has failed, all are done over, each in its own.
   */
  #write(units: readonly Waiting[]): readonly Outcome[] {
    try {
      return this.#unguarded(units) ?? this.#guarded(units);
    } catch (error) {
      if (this.#file.inTransaction) this.#transaction.rollback.run();
      throw isOutage(error) ? unavailable(error) : error;
    }
  }

  /** Undefined: one of several units has failed, and nothing was written. */
  #unguarded(units: readonly Waiting[]): readonly Outcome[] | undefined {
    const outcomes: Outcome[] = [];
    this.#transaction.begin.run();
    for (const { unit } of units) {
      const outcome = this.#attempt(unit);
      outcomes.push(outcome);
      if ('done' in outcome) continue;
      this.#transaction.rollback.run();
      return units.length === 1 ? outcomes : undefined;
    }
    this.#commit();
    return outcomes;
  }

  /** A unit that fails leaves no trace in the transaction of the others. */
  #guarded(units: readonly Waiting[]): readonly Outcome[] {
    this.#transaction.begin.run();
    const outcomes = units.map(({ unit }) => {
      this.#transaction.savepoint.run();
      const outcome = this.#attempt(unit);
      if ('failed' in outcome) this.#transaction.rollbackTo.run();
      this.#transaction.release.run();
      return outcome;
    });
    this.#commit();
    return outcomes;
  }

  /** Writes a unit into the open transaction; one that fails may leave a part of itself. Throws when the transaction is lost. */
  #attempt(unit: Unit): Outcome {
    try {
      return { done: unit.map((_, index) => this.#step(unit, index)) };
    } catch (failed) {
      if (isOutage(failed) || !this.#file.inTransaction) throw failed;
      return { failed };
    }
  }

  #step(unit: Unit, index: number): Done {
    const { statement, rows = 'any' } = unit[index] as Unit[number];
    try {
      const done = this.#run(statement);
      if (rows !== 'any' && rows !== done.rows) throw new RowCountMismatch(index, rows, done.rows);
      return done;
    } catch (error) {
      throw isUniqueViolation(error) ? new UniqueViolation(index, { cause: error }) : error;
    }
  }

  #commit(): void {
    try {
      this.#transaction.commit.run();
      this.#log.written();
    } catch (cause) {
      // a WAL whose last write failed may still be found whole after the next start
      throw isOutage(cause) && cause.code.startsWith('SQLITE_IOERR')
        ? new CommitUnknown(cause.message, { cause })
        : cause;
    }
  }

  #run({ statement, values }: Bound): Done {
    const compiled = statement.compiled('sqlite');
    let prepared = this.#prepared.get(compiled);
    if (!prepared) {
      prepared = new Prepared(this.#file.prepare(compiled.sql), compiled.isSingle);
      this.#prepared.set(compiled, prepared);
      if (this.#prepared.size > MAX_STATEMENTS) this.#prepared.delete(this.#prepared.keys().next().value as Compiled);
    }
    try {
      return prepared.run(compiled.bind(values));
    } catch (error) {
      this.#prepared.delete(compiled); // libsql leaves one that failed as it is, and the next call would fail too
      throw error;
    }
  }
}

function settle({ waiting, outcome }: Settling): void {
  if ('done' in outcome) waiting.resolve(outcome.done);
  else waiting.reject(outcome.failed);
}

const NOTHING: readonly Record<string, unknown>[] = [];
const NO_ROW: Done = { rows: 0, returned: NOTHING };

class Prepared {
  readonly #statement: Database.Statement;
  readonly #isReader: boolean;
  readonly #isSingle: boolean;
  readonly #columns: readonly string[];

  constructor(statement: Database.Statement, isSingle: boolean) {
    this.#statement = statement;
    this.#isSingle = isSingle;
    this.#isReader = statement.reader;
    this.#columns = this.#isReader ? statement.columns().map(({ name }) => name) : [];
    if (this.#isReader) statement.raw();
  }

  run(values: unknown[]): Done {
    if (!this.#isReader) return { rows: this.#statement.run(values).changes, returned: NOTHING };
    if (this.#isSingle) {
      const row = this.#statement.get(values) as unknown[] | undefined; // less than half the work of `all`
      return row ? { rows: 1, returned: [this.#named(row)] } : NO_ROW;
    }
    // to the last row: a statement that was left half-way keeps every savepoint from being opened
    const returned = (this.#statement.all(values) as unknown[][]).map((row) => this.#named(row));
    return { rows: returned.length, returned };
  }

  /** Named here: libsql takes a third longer to name the columns of a row. It gives a blob as an ArrayBuffer, pg as a Buffer. */
  #named(values: readonly unknown[]): Record<string, unknown> {
    const row: Record<string, unknown> = {};
    const columns = this.#columns;
    for (let index = 0; index < columns.length; index += 1) {
      const value = values[index];
      row[columns[index] as string] = value instanceof ArrayBuffer ? Buffer.from(value) : value;
    }
    return row;
  }
}

/** What begins and ends transactions and savepoints, prepared once. */
class Transaction {
  readonly begin: Database.Statement;
  readonly commit: Database.Statement;
  readonly rollback: Database.Statement;
  readonly savepoint: Database.Statement;
  readonly release: Database.Statement;
  readonly rollbackTo: Database.Statement;

  constructor(file: SqliteFile) {
    this.begin = file.prepare('BEGIN IMMEDIATE');
    this.commit = file.prepare('COMMIT');
    this.rollback = file.prepare('ROLLBACK');
    this.savepoint = file.prepare('SAVEPOINT unit');
    this.release = file.prepare('RELEASE unit');
    this.rollbackTo = file.prepare('ROLLBACK TO unit');
  }
}

const BROKEN = 'the disk has lost a write; what is recorded shows after a restart';

function closed(): Fault {
  return new Fault('DatabaseUnavailable', { reason: 'the database was closed' });
}

function unavailable(cause: Error): Fault {
  return new Fault('DatabaseUnavailable', { reason: cause.message }, { cause });
}
