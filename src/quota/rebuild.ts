import { randomUUID } from 'node:crypto';
import { type Counted, disownAndCount, type ProjectRecords } from '../db/quota-sums.js';
import { CommitUnknown, type Store } from '../db/store.js';
import type { Log } from '../log/log.js';
import { NoAnswer, type RedisConnection, TryAgain } from '../redis/connection.js';
import { Gate } from '../redis/gate.js';
import type { Incarnation } from '../redis/incarnation.js';
import { type Deadline, deadlineIn, isOver, pause, within } from '../time/deadline.js';
import { encodeAmounts } from './amounts-text.js';
import type { SnapshotOptions } from './deltas/snapshot.js';
import { keysOf, type QuotaScripts } from './scripts.js';
import { shortId } from './short-id.js';
import { sumsOf } from './sums.js';

/** What a rebuild works with. */
export interface RebuildParts {
  readonly redis: RedisConnection;
  readonly scripts: QuotaScripts;
  readonly store: Store;
  /** For how long words of settled reservations are kept, ms. */
  readonly graceMs: number;
  /** How the records are added up. @default snapshots count towards gigabytes */
  readonly sums?: SnapshotOptions;
  /** For how long nobody else may rebuild the project, ms. @default 5000 */
  readonly leaseMs?: number;
  /** When a rebuild gives up, ms; those who wait for it may do so earlier. @default 30000 */
  readonly timeoutMs?: number;
  /** Projects that this process rebuilds at the same time; the others wait for their turn. @default 8 */
  readonly atOnce?: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Told of each rebuild that was done here, or was not; never throws. @default nobody */
  readonly onRebuild?: (reason: RebuildReason, outcome: 'rebuilt' | 'failed', elapsedMs: number) => void;
}

/**
 * Why a rebuild is asked for. `stale`: a script said so; nothing is done if somebody else was faster. `unknown`: Redis does
 * not know what the records do, so that the sums are rebuilt whatever they claim.
 */
export type RebuildReason = 'stale' | 'unknown';

const LOOK_AGAIN_MS = 20;
const AT_ONCE = 8;
/** Projects that may wait for their turn; of more, the callers come back. */
const MAX_WAITING = 10_000;

/**
 * Makes a project's sums in Redis what the records say. From its first step to its last no decision about the project is
 * taken anywhere, and what was undecided is disowned: a flow in that window reverts. Rule: docs/protocols.md §Q, REBUILD.
 */
export class Rebuild {
  readonly #parts: Required<RebuildParts>;
  readonly #running = new Map<string, Promise<void>>();
  readonly #gate: Gate;

  constructor(parts: RebuildParts) {
    this.#parts = {
      ...{ sums: { countSnapshotGib: true }, leaseMs: 5_000, timeoutMs: 30_000, atOnce: AT_ONCE },
      onRebuild: () => undefined,
      ...parts,
    };
    this.#gate = new Gate({ atOnce: this.#parts.atOnce, waiting: MAX_WAITING, what: 'a rebuild of quota' });
  }

  /**
   * Rebuilds; callers of this process share one. Throws Fault DatabaseUnavailable, and NoAnswer at the deadline, after
   * which the rebuild itself goes on for those who wait longer.
   */
  async run(projectId: string, reason: RebuildReason, deadline: Deadline): Promise<void> {
    const key = `${reason} ${projectId}`;
    let running = this.#running.get(key);
    if (!running) {
      running = this.#timed(projectId, reason).finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    const done = await within(
      running.then(() => true),
      deadline,
    );
    if (!done) throw new NoAnswer('the quota of the project is being rebuilt');
  }

  async #timed(projectId: string, reason: RebuildReason): Promise<void> {
    const { onRebuild } = this.#parts;
    const begun = performance.now();
    try {
      const isOurs = await this.#rebuild(projectId, reason);
      if (isOurs) onRebuild(reason, 'rebuilt', performance.now() - begun);
    } catch (error) {
      onRebuild(reason, 'failed', performance.now() - begun);
      throw error;
    }
  }

  /** False: somebody else was faster. */
  async #rebuild(projectId: string, reason: RebuildReason): Promise<boolean> {
    const { redis, scripts, leaseMs, timeoutMs } = this.#parts;
    const deadline = deadlineIn(timeoutMs);
    const { usage } = keysOf(projectId);
    let owner = randomUUID();
    let force = reason === 'stale' ? 0 : 1;
    while (!isOver(deadline)) {
      const incarnation = await redis.incarnation(usage, deadline);
      // a turn is for the work alone: a project whose server is away must not keep others from theirs
      await this.#gate.enter(deadline);
      try {
        const args = { owner, lease: leaseMs, force };
        const begin = await redis.attempt(incarnation, scripts.rebuildBegin, { usage }, args, deadline);
        if (begin.answer === 'fresh') return false;
        if (begin.answer === 'begun') {
          if (await this.#replace(projectId, owner, incarnation, deadline)) return true;
          owner = randomUUID(); // an end that was lost on the way may still arrive
        }
        if (begin.answer === 'busy') force = 0; // whatever the other one counts, it counts after we were asked
      } catch (error) {
        if (!(error instanceof TryAgain) && !(error instanceof CommitUnknown)) throw error;
        owner = randomUUID();
      } finally {
        this.#gate.leave();
      }
      await pause(LOOK_AGAIN_MS, deadline);
    }
    throw new NoAnswer('the quota of the project could not be rebuilt in time');
  }

  /** Counts, and puts the sums in under the incarnation in which the rebuild began. False: the lease was lost. */
  async #replace(projectId: string, owner: string, incarnation: Incarnation, deadline: Deadline): Promise<boolean> {
    const { redis, scripts, store, graceMs, sums, log } = this.#parts;
    const records = await disownAndCount(store, projectId);
    const { tombstones, ...keys } = keysOf(projectId);
    const args = {
      ...{ tombstones, keep: graceMs, owner },
      sums: JSON.stringify([...sumsOf(records, sums)]),
      holds: JSON.stringify(holdsOf(records)),
      settled: JSON.stringify(settledOf(records)),
    };
    const answer = await redis.attempt(incarnation, scripts.rebuildEnd, keys, args, deadline);
    if (answer === 'done') log.info('quota rebuilt from the records', { projectId, ...sizes(records) });
    return answer === 'done';
  }
}

function holdsOf({ settlements }: ProjectRecords): [id: string, text: string][] {
  return settlements
    .filter(({ state, isDamaged }) => state === 'held' && !isDamaged) // unknown to Redis, it ends by another rebuild
    .map(({ id, deltas }) => [shortId(id), encodeAmounts(deltas)]);
}

/** What each settlement's script must find. One that was opened while we counted counts as disowned. */
function settledOf({ settlements }: ProjectRecords): [id: string, word: string, until: number][] {
  return settlements
    .filter(({ state }) => state !== 'held')
    .map(({ id, kind, state, until }) => {
      if (kind === 'release') return [shortId(id), 'released', until ?? 0];
      return [shortId(id), state === 'final' ? 'committed' : 'revoked', 0];
    });
}

function sizes({ volumes, snapshots, backups, groups, settlements }: ProjectRecords) {
  const of = (rows: readonly Counted[]) => rows.reduce((sum, { count }) => sum + count, 0);
  return {
    ...{ volumes: of(volumes), snapshots: of(snapshots), backups: backups.count, groups },
    settlements: settlements.length,
  };
}
