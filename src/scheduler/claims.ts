import { backendOf, poolOf } from '../objects/backend-name.js';
import type { RedisConnection } from '../redis/connection.js';
import { deadlineIn } from '../time/deadline.js';
import { listedPools } from './changed-pools.js';
import { type ClaimBook, claimKeysOf, type ClaimReply, type ClaimScripts } from './claim-scripts.js';
import type { Pool } from './pool-state.js';
import { poolName, reportKey, type CapabilityReport } from './report.js';
import { reportedRoom, type Room } from './reported-room.js';

/** Which claim: whose room, and under which claim on the work. */
export interface ClaimId {
  readonly volumeId: string;
  /** Of the caller's claim on the work. */
  readonly epoch: number;
}

/** What a claim has to know of a pool. */
export type ClaimedPool = Pick<Pool, 'backendId' | 'capabilities' | 'updatedAt'>;

/**
 * `won`: nobody else has the room. `lost`: somebody has. `unneeded`: the pool's room has no measure. `unclaimed`: Redis
 * did not say, and the placement stands on what this scheduler alone knows.
 */
export type ClaimOutcome =
  | (Pick<ClaimReply, 'claimedGib' | 'reportedAt'> & { readonly answer: 'won' | 'lost' })
  | { readonly answer: 'unneeded' | 'unclaimed' };

/** Told what becomes of claims, for metrics and the log; never throws. */
export interface ClaimObserver {
  claimed(answer: ClaimOutcome['answer']): void;
  ended(how: 'released' | 'included' | 'expired', count: number): void;
  /** A script without an answer; what it should have done is left to deadlines. */
  failed(what: ClaimCall, error: unknown): void;
}

/** What is asked of Redis. */
export type ClaimCall = 'claim' | 'release' | 'fold' | 'outstanding' | 'list' | 'recount';

export interface ClaimsOptions {
  readonly redis: RedisConnection;
  readonly scripts: ClaimScripts;
  /** As for the pools: a decimal, or `auto`. */
  readonly maxOverSubscriptionRatio: string;
  /** `backend_stats_polling_interval`, ms. */
  readonly reportIntervalMs: number;
  /** `capacity_claim_timeout`: how long placed work may wait to be begun before its claim ends by itself, ms. */
  readonly workMs: number;
  /** How long a decision waits for Redis, ms. @default 1000 */
  readonly patienceMs?: number;
  /** @default nobody */
  readonly observer?: ClaimObserver;
}

const PATIENCE_MS = 1_000;
/** Claims a script ends at once, so that it stays short. */
const MOST_FOLDED = 500;
/** Claims of a backend that are told; more are only counted. */
const MOST_LISTED = 10_000;
/** The keys outlive the last claim by so many report periods: by then no scheduler decides by an older report. */
const KEPT_PERIODS = 60;

/**
 * The room that schedulers have promised and that no report knows of yet, in Redis: of several schedulers that want the
 * last of it, one gets it. One function for everything that grows. Rule: docs/adr/0009-capacity-claims.md.
 */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #keepMs: number;
  readonly #rooms = new WeakMap<Pool['capabilities'], Room | typeof NO_MEASURE>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#keepMs = KEPT_PERIODS * options.reportIntervalMs;
  }

  /**
   * Claims `gib` of a pool that a decision has chosen, for what the capacity filter compared: the whole volume, or what is
   * added to it. It lasts until it is ended, `holdMs` and two report periods at most. Never throws. Safe to repeat.
   */
  async claim(
    id: ClaimId,
    pool: ClaimedPool,
    gib: number,
    isThin: boolean,
    holdMs: number = this.#options.workMs,
  ): Promise<ClaimOutcome> {
    const outcome = await this.#claim(id, pool, { gib, isThin, holdMs });
    this.#options.observer?.claimed(outcome.answer);
    return outcome;
  }

  /** Ends a claim on a backend or pool. Never throws. Safe to repeat. */
  release({ volumeId, epoch }: ClaimId, backendId: string): Promise<void> {
    return this.#release(volumeId, backendId, epoch, epoch + 1);
  }

  /** Ends what was claimed on a backend or pool for the making of a volume, below an epoch. Never throws. Safe to repeat. */
  releaseBelow({ volumeId, epoch }: ClaimId, backendId: string): Promise<void> {
    return this.#release(volumeId, backendId, 0, epoch);
  }

  async #release(volume: string, backendId: string, from: number, below: number): Promise<void> {
    const { scripts, observer } = this.#options;
    const backend = backendOf(backendId);
    const count = await this.#ask('release', [backend], (deadline) =>
      this.#options.redis.run(
        scripts.release,
        claimKeysOf(backend),
        { keep: this.#keepMs, volume, from, below },
        deadline,
      ),
    );
    if (count) observer?.ended('released', count);
  }

  /**
   * Ends the claims that a report includes; to be called before anybody decides by its figures. Never throws. Safe to
   * repeat, by every scheduler that gets the report and in any order of reports.
   */
  async fold(report: CapabilityReport): Promise<void> {
    const { includedClaims: included = [] } = report;
    const { scripts, observer, redis, maxOverSubscriptionRatio: globalRatio } = this.#options;
    const pools = new Map((listedPools(report.capabilities) ?? []).map((pool) => [poolName(pool), pool]));
    for (let begin = 0; begin < included.length; begin += MOST_FOLDED) {
      const some = included.slice(begin, begin + MOST_FOLDED);
      const rooms = [...new Set(some.map(({ pool }) => pool))].flatMap((name) => {
        const room = reportedRoom(pools.get(name), report.timestamp, globalRatio);
        return room ? [[name, room.reportedAt, room.thinGib, room.thickGib] as const] : [];
      });
      // without figures of its pool a claim is left to its deadline
      const known = new Set(rooms.map(([name]) => name));
      const folded = await this.#ask('fold', [reportKey(report)], (deadline) =>
        redis.run(
          scripts.fold,
          claimKeysOf(reportKey(report)),
          {
            keep: this.#keepMs,
            rooms: JSON.stringify(rooms),
            included: JSON.stringify(
              some.flatMap(({ volumeId, epoch, pool }) => (known.has(pool) ? [[volumeId, epoch]] : [])),
            ),
          },
          deadline,
        ),
      );
      if (!folded) return;
      observer?.ended('included', folded.endedCount);
      observer?.ended('expired', folded.expiredCount);
    }
  }

  /** What is claimed of some backends; undefined when Redis does not say. Never throws. */
  async outstanding(
    backends: readonly string[],
  ): Promise<{ readonly count: number; readonly gib: number } | undefined> {
    const { redis, scripts } = this.#options;
    const found = await this.#ask('outstanding', backends, (deadline) =>
      Promise.all(
        backends.map((backend) =>
          redis.run(scripts.outstanding, claimKeysOf(backend), { keep: this.#keepMs }, deadline),
        ),
      ),
    );
    if (!found) return undefined;
    const gibs = found.flatMap(({ gibByPool }) => [...gibByPool.values()]);
    return {
      count: found.reduce((sum, { claimCount }) => sum + claimCount, 0),
      gib: gibs.reduce((sum, gib) => sum + gib, 0),
    };
  }

  /** The claims on a backend; undefined when Redis does not say. Never throws. */
  list(backend: string): Promise<ClaimBook | undefined> {
    const { redis, scripts } = this.#options;
    const args = { keep: this.#keepMs, most: MOST_LISTED };
    return this.#ask('list', [backend], (deadline) => redis.run(scripts.list, claimKeysOf(backend), args, deadline));
  }

  /** Adds the claims on a backend up anew; false when Redis did not answer. Never throws. Safe to repeat. */
  async recount(backend: string): Promise<boolean> {
    const { redis, scripts } = this.#options;
    const done = await this.#ask('recount', [backend], (deadline) =>
      redis.run(scripts.recount, claimKeysOf(backend), { keep: this.#keepMs }, deadline),
    );
    return done !== undefined;
  }

  async #claim(
    { volumeId, epoch }: ClaimId,
    pool: ClaimedPool,
    { gib, isThin, holdMs }: { readonly gib: number; readonly isThin: boolean; readonly holdMs: number },
  ): Promise<ClaimOutcome> {
    const room = this.#roomOf(pool);
    if (!room || gib <= 0) return { answer: 'unneeded' };
    const { redis, scripts, observer } = this.#options;
    const { thinGib, thickGib, reportedAt } = room;
    const backend = backendOf(pool.backendId);
    const reply = await this.#ask('claim', [backend], (deadline) =>
      redis.run(
        scripts.claim,
        claimKeysOf(backend),
        {
          keep: this.#keepMs,
          volume: volumeId,
          epoch,
          pool: poolOf(pool.backendId) ?? '',
          gib: Math.ceil(gib),
          kind: isThin ? 'thin' : 'thick',
          reported: reportedAt,
          thin: thinGib,
          thick: thickGib,
          ttl: holdMs + 2 * this.#options.reportIntervalMs,
        },
        deadline,
      ),
    );
    if (!reply) return { answer: 'unclaimed' };
    if (reply.expiredCount > 0) observer?.ended('expired', reply.expiredCount);
    return reply;
  }

  /** Undefined when there is no answer; at once when there is no Redis for a backend's keys. */
  async #ask<T>(
    what: ClaimCall,
    backends: readonly string[],
    call: (deadline: ReturnType<typeof deadlineIn>) => Promise<T>,
  ): Promise<T | undefined> {
    const { redis, patienceMs = PATIENCE_MS, observer } = this.#options;
    try {
      for (const backend of backends) {
        const trouble = redis.trouble(claimKeysOf(backend).claims);
        if (trouble !== undefined) throw new Error(trouble);
      }
      return await call(deadlineIn(patienceMs));
    } catch (error) {
      observer?.failed(what, error);
      return undefined;
    }
  }

  #roomOf(pool: ClaimedPool): Room | undefined {
    let room = this.#rooms.get(pool.capabilities);
    if (room === undefined) {
      const { capabilities } = pool;
      room = reportedRoom(capabilities, pool.updatedAt ?? 0, this.#options.maxOverSubscriptionRatio) ?? NO_MEASURE;
      this.#rooms.set(capabilities, room);
    }
    return room === NO_MEASURE ? undefined : room;
  }
}

const NO_MEASURE = Symbol('no measure');
