import type { Over } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import type { Log } from '../log/log.js';
import { NoAnswer, type RedisConnection, TryAgain } from '../redis/connection.js';
import type { Script, ScriptArgs } from '../redis/script.js';
import { type Deadline, isOver, pause } from '../time/deadline.js';
import type { Limits } from './limits.js';
import { orUnavailable } from './or-unavailable.js';
import type { Rebuild } from './rebuild.js';
import { encodeAmounts, withNote } from './amounts-text.js';
import { checkNames, checkRelease, checkReservation } from './requests.js';
import { type Amounts, sortedAmounts } from './resources.js';
import { corruptionIn, fieldOf, keysOf, type Live, type QuotaScripts, type Reply, type Word } from './scripts.js';
import { shortId } from './short-id.js';

/** What the quota engine works with. */
export interface QuotaParts {
  readonly redis: RedisConnection;
  readonly scripts: QuotaScripts;
  readonly limits: Limits;
  readonly rebuild: Rebuild;
  /** Life of a reservation, ms; at least four times the longest flow. @default 600000 */
  readonly ttlMs?: number;
  readonly log: Pick<Log, 'error'>;
  /** Told each answer, e.g. `reserve`, `over`; `no_answer`: there was none in time. Never throws. @default nobody */
  readonly onAnswer?: (operation: string, answer: string) => void;
  /** Told what must never happen. @default nobody */
  readonly onAlarm?: (alarm: 'clamped' | 'corrupt') => void;
}

/** Amounts that are set aside until they are committed, rolled back, or expire. Plain JSON. */
export interface Reservation {
  readonly id: string;
  readonly projectId: string;
  readonly deltas: Amounts;
  /** ms, Redis's clock. */
  readonly expiresAt: number;
  /** Incarnation of the server that granted it. */
  readonly token: string;
}

/** How amounts are reserved. */
export interface ReserveOptions {
  /** UUID, a new one. */
  readonly id: string;
  readonly deadline: Deadline;
  /** ms. @default the engine's */
  readonly ttlMs?: number;
  /** The caller's quota class, whose limits come before the defaults. @default none */
  readonly quotaClass?: string;
  /** Who reserves, e.g. the request's id, for those who list reservations; cut at 64 characters. @default nobody */
  readonly note?: string;
}

export type ReserveAnswer =
  | { readonly answer: 'reserved'; readonly reservation: Reservation }
  | { readonly answer: 'over' | 'overflow'; readonly over: readonly Over[] };

export interface Usage {
  readonly inUse: number;
  readonly reserved: number;
}

/** Which reservation. */
export interface ReservationRef {
  readonly id: string;
  readonly projectId: string;
}

/**
 * Looks at the records between the reading of the incarnation and each attempt of a call. A value ends the call: somebody
 * else has settled the matter. Rule: docs/protocols.md §Q, ROW.
 */
export type Look<T> = (token: string) => Promise<T | undefined>;

const DEFAULT_TTL_MS = 600_000;
const RETRY_PAUSE_MS = 20;
/** Fields that a script is asked for at once: it cannot take more than some thousands. */
const MAX_FIELDS = 1_000;

/** For how long a settled reservation is remembered, ms. Rule: docs/protocols.md §Q, G. */
export const graceMsOf = (ttlMs = DEFAULT_TTL_MS): number => 2 * ttlMs;

/**
 * Usage and reservations of projects, in Redis. All operations are idempotent by id and are repeated until they are
 * answered; only `reserve` is checked against limits. Everything waits at most until its deadline: `reserve`, `usage` and
 * `list` then throw Fault QuotaUnavailable, the others NoAnswer, because only the caller knows whether that is in doubt.
 */
export class Quota {
  readonly #parts: QuotaParts;
  readonly #ttlMs: number;
  readonly #graceMs: number;

  constructor(parts: QuotaParts) {
    this.#parts = parts;
    this.#ttlMs = parts.ttlMs ?? DEFAULT_TTL_MS;
    this.#graceMs = graceMsOf(parts.ttlMs);
  }

  /** For how long a release may be applied, ms: `until` of its row. */
  get graceMs(): number {
    return this.#graceMs;
  }

  /**
   * Reserves all amounts or none; negative ones are never over, and are taken off at the commit. `id` must be new; the same
   * call repeated answers the same.
   * Throws Fault InvalidReservationExpiration, QuotaResourceUnknown, InvalidInput, QuotaReservationExists,
   * QuotaReservationExpired, QuotaUnavailable, DatabaseUnavailable.
   */
  async reserve(projectId: string, deltas: Amounts, options: ReserveOptions): Promise<ReserveAnswer> {
    const { scripts, limits } = this.#parts;
    const { id, deadline, ttlMs = this.#ttlMs, quotaClass, note = '' } = options;
    checkReservation({ projectId, id, deltas, ttlMs });
    const asked = sortedAmounts(deltas);
    const limitOf = await limits.of(projectId, quotaClass);
    const args = {
      id,
      ttl: ttlMs,
      text: withNote(encodeAmounts(deltas), note),
      asked: [
        ...asked.map(([resource]) => fieldOf(resource)),
        ...asked.map(([, amount]) => amount),
        ...asked.map(([resource]) => limitOf(resource)),
      ],
    };
    let token = '';
    const remember: Look<never> = async (read) => {
      token = read;
      return undefined;
    };
    const reply = await orUnavailable(this.#settle(projectId, id, scripts.reserve, args, deadline, remember));
    switch (reply.answer) {
      case 'reserved':
        return { answer: 'reserved', reservation: { id, projectId, deltas, expiresAt: reply.expiresAt, token } };
      case 'over':
      case 'overflow':
        return reply;
      case 'settled':
        if (reply.word === 'expired') throw new Fault('QuotaReservationExpired', { reservationId: id });
        throw new Fault('QuotaReservationExists', { reservationId: id, state: reply.word });
      case 'differs':
        throw new Fault('QuotaReservationExists', { reservationId: id, state: 'reserved with other amounts' });
    }
  }

  /** Turns a reservation or hold into use: `committed`, now or before, or what became of it instead. */
  async commit<T = never>(ref: ReservationRef, deadline: Deadline, look?: Look<T>): Promise<Word | T> {
    return this.#settle(ref.projectId, ref.id, this.#parts.scripts.commit, { id: ref.id }, deadline, look);
  }

  /** Gives back what was never decided: `rolledback`, now or before, or another word, and nothing is done. */
  async rollback<T = never>(ref: ReservationRef, deadline: Deadline, look?: Look<T>): Promise<Word | T> {
    return this.#settle(ref.projectId, ref.id, this.#parts.scripts.rollback, { id: ref.id }, deadline, look);
  }

  /** Keeps a reservation beyond its expiry: `held`, now or before, or what became of it instead. */
  async hold<T = never>(ref: ReservationRef, deadline: Deadline, look?: Look<T>): Promise<Word | T> {
    return this.#settle(ref.projectId, ref.id, this.#parts.scripts.hold, { id: ref.id }, deadline, look);
  }

  /** Undoes a reservation, committed or not. Only after the records say that it is undone. */
  async revoke<T = never>(
    ref: ReservationRef & { readonly deltas: Amounts },
    deadline: Deadline,
    look?: Look<T>,
  ): Promise<Word | T> {
    const args = { id: ref.id, text: encodeAmounts(ref.deltas) };
    return this.#settle(ref.projectId, ref.id, this.#parts.scripts.revoke, args, deadline, look);
  }

  /**
   * Gives back what a destroyed resource used: `released`, now or before; `late`: it is `until` or later. Throws
   * InvalidInput for a negative amount.
   */
  async release<T = never>(
    ref: ReservationRef & { readonly deltas: Amounts; readonly until: number },
    deadline: Deadline,
    look?: Look<T>,
  ): Promise<Word | 'late' | T> {
    checkRelease(ref);
    const args = { text: encodeAmounts(ref.deltas), until: ref.until };
    return this.#settle(ref.projectId, ref.id, this.#parts.scripts.release, args, deadline, look);
  }

  /** What a project uses and has reserved of the resources, by their keys; a thousand of them are of one moment. */
  async usage(
    projectId: string,
    resources: readonly string[],
    deadline: Deadline,
  ): Promise<ReadonlyMap<string, Usage>> {
    checkNames({ projectId });
    const usage = new Map<string, Usage>();
    for (let from = 0; from < resources.length; from += MAX_FIELDS) {
      const some = resources.slice(from, from + MAX_FIELDS);
      const args = { ...this.#common(projectId), fields: some.map(fieldOf) };
      const asked = this.#ask(projectId, this.#parts.scripts.usage, keysOf(projectId), args, deadline);
      for (const [i, [inUse, reserved]] of (await orUnavailable(asked)).entries()) {
        usage.set(some[i] ?? '', { inUse, reserved });
      }
    }
    return usage;
  }

  /** A project's live reservations, holds first, then by deadline: at most `count` of each. */
  async list(projectId: string, count: number, deadline: Deadline): Promise<readonly Live[]> {
    checkNames({ projectId });
    const args = { ...this.#common(projectId), count };
    return orUnavailable(this.#ask(projectId, this.#parts.scripts.list, keysOf(projectId), args, deadline));
  }

  /** The incarnation of a project's server now, to be read before the records. Throws NoAnswer. */
  async token(projectId: string, deadline: Deadline): Promise<string> {
    return (await this.#parts.redis.incarnation(keysOf(projectId).usage, deadline)).token;
  }

  async #settle<A extends string, R, T = never>(
    projectId: string,
    id: string,
    script: Script<'usage' | 'held' | 'deadlines' | 'pinned' | 'tombstone', A | 'tombstones' | 'keep', Reply<R>>,
    own: ScriptArgs<A>,
    deadline: Deadline,
    look?: Look<T>,
  ): Promise<R | T> {
    checkNames({ projectId, id });
    const keys = keysOf(projectId);
    const short = shortId(id);
    const args = { tombstones: keys.tombstones, keep: this.#graceMs, ...own, id: short } as ScriptArgs<
      A | 'tombstones' | 'keep'
    >;
    return this.#ask(projectId, script, { tombstone: keys.tombstones + short, ...keys }, args, deadline, look);
  }

  /** As `#decide`, and says how it ended. */
  async #ask<K extends string, A extends string, R, T = never>(
    projectId: string,
    script: Script<K, A, Reply<R>>,
    ...rest: [keys: Readonly<Record<K, string>>, args: ScriptArgs<A>, deadline: Deadline, look?: Look<T>]
  ): Promise<R | T> {
    const operation = script.name.replace(/\.lua$/, '');
    try {
      const said = await this.#decide(projectId, script, ...rest);
      this.#parts.onAnswer?.(operation, answerIn(said));
      return said;
    } catch (error) {
      if (error instanceof NoAnswer) this.#parts.onAnswer?.(operation, 'no_answer');
      throw error;
    }
  }

  /** Repeats a script until it decides; rebuilds the project when it must. */
  async #decide<K extends string, A extends string, R, T = never>(
    projectId: string,
    script: Script<K, A, Reply<R>>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
    look?: Look<T>,
  ): Promise<R | T> {
    const { redis, rebuild, log, onAlarm } = this.#parts;
    for (;;) {
      if (isOver(deadline)) throw new NoAnswer(`${script.name} was not answered in time`);
      const incarnation = await redis.incarnation(keysOf(projectId).usage, deadline);
      const seen = await look?.(incarnation.token);
      if (seen !== undefined) return seen;
      try {
        const { said, refusal, clamped } = await redis.attempt(incarnation, script, keys, args, deadline);
        if (clamped) {
          log.error('quota sums would have become negative', { projectId, script: script.name, clamped });
          onAlarm?.('clamped');
        }
        if (!refusal) return said as R;
        if (refusal === 'rebuild') await rebuild.run(projectId, 'stale', deadline);
      } catch (error) {
        const corruption = corruptionIn(error);
        if (corruption !== undefined) {
          log.error('quota keys are corrupt and are rebuilt', { projectId, reason: corruption });
          onAlarm?.('corrupt');
          await rebuild.run(projectId, 'unknown', deadline);
        } else if (!(error instanceof TryAgain)) throw error;
        await pause(RETRY_PAUSE_MS, deadline);
      }
    }
  }

  #common(projectId: string) {
    return { tombstones: keysOf(projectId).tombstones, keep: this.#graceMs };
  }
}

/** The word in a script's reply: some are a word, some have one, and what is only read has none. */
function answerIn(said: unknown): string {
  if (typeof said === 'string') return said;
  const { answer } = Object(said) as { readonly answer?: unknown };
  return typeof answer === 'string' ? answer : 'read';
}
