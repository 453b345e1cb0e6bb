import type { ExecutionContext } from 'ava';
import { statement } from '#src/db/statement.js';
import { RowCountMismatch } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import { InDoubt } from '#src/flow/in-doubt.js';
import type { RedisConnection } from '#src/redis/connection.js';
import { Creation, type Engine, figures, soon } from './quota.js';
import { eventually } from './redis.js';

/**
 * Processes that create volumes of a project one after the other, and delete every third. What comes to nothing is left as
 * a process leaves it that dies then.
 */
export class Load<R extends RedisConnection> {
  /** Volumes whose creation was answered, deleted ones too. */
  made = 0;
  readonly #engine: Engine<R>;
  readonly #projectId: string;
  readonly #abandoned: Creation<R>[] = [];
  readonly #workers: Promise<void>[];
  #isStopping = false;
  #live = 0;

  constructor(t: Pick<ExecutionContext, 'teardown'>, engine: Engine<R>, projectId: string, workers = 2) {
    this.#engine = engine;
    this.#projectId = projectId;
    this.#workers = Array.from({ length: workers }, () => this.#work());
    t.teardown(() => this.#stop());
  }

  /** Waits until `count` more volumes are made. */
  async makes(count: number): Promise<void> {
    const enough = this.made + count;
    await eventually(`${count} more volumes`, () => this.made >= enough, 20_000);
  }

  /** Stops, lets recovery end what was abandoned, and says what Redis and the records then think is in use. */
  async end(): Promise<{ readonly usage: string; readonly records: string; readonly answered: number }> {
    await this.#stop();
    const { store, recovery, quota } = this.#engine;
    const project = this.#projectId;
    await eventually('nothing is left to settle', async () => {
      await store.apply([{ statement: endLeases.with({ project }) }]);
      await recovery.sweep();
      const [rows] = await store.read(countSettlements.with({ project }));
      return Number(rows?.count) === 0;
    });
    // what was reserved and nothing more would expire
    for (const { charge } of this.#abandoned) await quota.rollback(charge, soon());
    const [live] = await store.read(countVolumes.with({ project }));
    const records = Array<string>(4)
      .fill(`${Number(live?.count)}/0`)
      .join(' ');
    return { usage: await figures(this.#engine, project), records, answered: this.#live };
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    while (!this.#isStopping) {
      const creation = new Creation(this.#engine, this.#projectId);
      try {
        await this.#create(creation);
      } catch (error) {
        if (!isForeseen(error)) throw error;
        this.#abandoned.push(creation);
      }
    }
  }

  async #create(creation: Creation<R>): Promise<void> {
    if ((await creation.reserve()) !== 'reserved') return;
    await creation.tx1();
    if ((await creation.commit()) !== 'committed') return;
    await creation.tx2();
    this.made += 1;
    this.#live += 1;
    if (this.made % 3 !== 0) return;
    const release = await creation.destroy();
    this.#live -= 1;
    await this.#engine.settlements.settle(release, soon());
  }
}

/** What a flow is prepared for: nobody answers, nobody knows, somebody else has decided. */
function isForeseen(error: unknown): boolean {
  return error instanceof Fault || error instanceof InDoubt || error instanceof RowCountMismatch;
}

const countVolumes = statement<{ project: string }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('project_id', '=', p.project)
    .where('deleted_at', 'is', null),
);
const countSettlements = statement<{ project: string }>()(({ db }, p) =>
  db
    .selectFrom('quota_settlements')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('project_id', '=', p.project),
);
const endLeases = statement<{ project: string }>()(({ db }, p) =>
  db.updateTable('quota_settlements').set({ lease_until: 0 }).where('project_id', '=', p.project),
);
