import { statement } from './statement.js';
import type { Store } from './store.js';

/** How many live volumes each pool, `host@backend#pool`, holds. Pools without volumes are not named. */
export async function countVolumesByHost(store: Store): Promise<Map<string, number>> {
  const rows = await store.read(countByHost.with({}));
  return new Map(rows.map(({ host, count }) => [host ?? '', count]));
}

const countByHost = statement()(({ db }) =>
  db
    .selectFrom('volumes')
    .select(['host', ({ fn }) => fn.countAll<number>().as('count')])
    .where('deleted_at', 'is', null)
    .where('host', 'is not', null)
    .groupBy('host'),
);
