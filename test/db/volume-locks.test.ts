import pg from 'pg';
import type { ExecutionContext } from 'ava';
import { openStore } from '#src/db/open-store.js';
import { type Step, RowCountMismatch, type Store } from '#src/db/store.js';
import { awaitClones, demandSource } from '#src/db/volume-locks.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { findVolume, insertVolume } from '#src/db/volumes.js';
import { eventually } from '../support/redis.js';
import { postgresTest, postgresUrl } from '../support/sql.js';
import { newVolume, recorded } from '../support/volumes.js';

postgresTest('a deletion waits for a clone that is being recorded, sees it, and is refused', async (t) => {
  const { store, source, other } = await withSource(t);
  await other.begin([...insertVolume(newVolume({ sourceVolumeId: source })), demandSource(source)]);

  const deleting = store.apply([awaitClones(source), transition('beginDelete', { id: source })]);
  await other.isWaitedFor();
  await other.commit();

  await t.throwsAsync(deleting, { instanceOf: RowCountMismatch });
  t.is((await findVolume(store, { id: source }))?.status, 'available');
});

postgresTest('a clone waits for a deletion that is being recorded, and is refused', async (t) => {
  const { store, source, other } = await withSource(t);
  await other.begin([awaitClones(source), transition('beginDelete', { id: source })]);
  const clone = newVolume({ sourceVolumeId: source });

  const cloning = store.apply([...insertVolume(clone), demandSource(source)]);
  await other.isWaitedFor();
  await other.commit();

  await t.throwsAsync(cloning, { instanceOf: RowCountMismatch });
  t.is(await findVolume(store, { id: clone.id }), undefined);
});

postgresTest('clones of one source do not wait for one another', async (t) => {
  const { store, source, other } = await withSource(t);
  await other.begin([...insertVolume(newVolume({ sourceVolumeId: source })), demandSource(source)]);
  await t.notThrowsAsync(store.apply([...insertVolume(newVolume({ sourceVolumeId: source })), demandSource(source)]));
  await other.commit();
});

/** An available volume, and somebody else's transaction. */
async function withSource(t: ExecutionContext) {
  const url = await postgresUrl(t);
  const store = await openStore(url);
  t.teardown(() => store.close());
  const { id } = await recorded(store);
  await store.apply([
    placeVolume({ id, host: 'h@b#p', clusterName: null, availabilityZone: 'nova' }),
    transition('finishCreate', { id }),
  ]);
  return { store, source: id, other: await Transaction.on(t, url, store) };
}

/** A transaction that stays open as long as a test wants. */
class Transaction {
  readonly #client: pg.Client;
  readonly #watcher: pg.Client;

  private constructor(client: pg.Client, watcher: pg.Client) {
    this.#client = client;
    this.#watcher = watcher;
  }

  static async on(t: ExecutionContext, url: string, store: Store): Promise<Transaction> {
    const clients = [1, 2].map(() => new pg.Client({ connectionString: url }));
    for (const client of clients) {
      client.on('error', () => undefined);
      await client.connect();
      t.teardown(() => client.end());
    }
    t.is(store.dialect, 'postgres');
    return new Transaction(...(clients as [pg.Client, pg.Client]));
  }

  async begin(steps: readonly Step[]): Promise<void> {
    await this.#client.query('BEGIN');
    for (const { statement: bound } of steps) {
      const { sql, bind } = bound.statement.compiled('postgres');
      await this.#client.query(sql, bind(bound.values));
    }
  }

  async commit(): Promise<void> {
    await this.#client.query('COMMIT');
  }

  /** Ends when some other session of the database waits for a lock. */
  async isWaitedFor(): Promise<void> {
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await eventually('somebody waits', async () => (await this.#watcher.query(waiting)).rowCount !== 0);
  }
}
