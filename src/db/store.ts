import type { Bound } from './statement.js';

/** A statement of a unit and the number of rows it must touch. */
export interface Step {
  readonly statement: Bound;
  /** Exact count; `any`: as many as there are. @default 'any' */
  readonly rows?: number | 'any';
}

/** Statements that are done together or not at all, without a read in between. */
export type Unit = readonly Step[];

/** What one statement of a unit did. */
export interface Done {
  /** Rows touched. */
  readonly rows: number;
  /** Rows of a RETURNING clause or of a SELECT. */
  readonly returned: readonly Record<string, unknown>[];
}

/** A unit was given up because a statement touched another number of rows than it must; nothing was written. */
export class RowCountMismatch extends Error {
  override readonly name = 'RowCountMismatch';

  constructor(
    /** Index in the unit. */
    readonly step: number,
    readonly expected: number,
    readonly actual: number,
  ) {
    super(`statement ${step} touched ${actual} rows instead of ${expected}`);
  }
}

/** A unit was given up because a row with the same key exists; nothing was written. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';

  constructor(
    /** Index in the unit. */
    readonly step: number,
    options?: { readonly cause?: unknown },
  ) {
    super(`statement ${step} violates a unique key`, options);
  }
}

/** Nobody knows whether the unit was committed: the connection broke during COMMIT. */
export class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown';
}

/**
 * When a unit or a read is over: `durable`, when no power loss can take back what was committed before its end; `written`, as
 * soon as it is committed, which is for work whose every consequence is lost with it. Rule: docs/adr/0019.
 */
export type Until = 'durable' | 'written';

/** Where the records are. Throws Fault `DatabaseUnavailable` when the database cannot be reached. */
export interface Store {
  readonly dialect: 'sqlite' | 'postgres';
  /**
   * Writes a unit in one transaction. Units of one turn of the event loop may share a transaction, in which a unit that fails
   * does not undo its neighbours. `until`: only an embedded database knows the difference. @default 'durable'
   * Throws RowCountMismatch, UniqueViolation, CommitUnknown.
   */
  apply(unit: Unit, until?: Until): Promise<readonly Done[]>;
  /** Reads. On SQLite at once, on PostgreSQL on a pooled connection. `until`: as for units. @default 'durable' */
  read<Row>(statement: Bound<Row>, until?: Until): Promise<readonly Row[]>;
  close(): Promise<void>;
}
