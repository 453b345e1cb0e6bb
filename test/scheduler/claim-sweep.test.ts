import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { placeVolume } from '#src/db/volume-transitions.js';
import { claimKeysOf } from '#src/scheduler/claim-scripts.js';
import { sweepClaims } from '#src/scheduler/claim-sweep.js';
import { readyRow } from '../casts/rows.js';
import { claimsOver, newBackend, poolAs } from '../support/claims.js';
import { eventually, redisFor, SILENT } from '../support/redis.js';
import { storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const REPORT_MS = 500;
const LONG_MS = 10 * REPORT_MS;

storesFor('room that nobody is at work for is free again after two reports, and no other', async (t, store) => {
  const backend = newBackend();
  const claims = claimsOver(await redisFor(t), { workMs: 600_000, reportIntervalMs: REPORT_MS });
  const pool = poolAs(backend, 'p', 100, 1);
  const claim = (volumeId: string, holdMs?: number) => claims.claim({ volumeId, epoch: 2 }, pool, 1, false, holdMs);
  const [made, fresh] = [await volumeAt(store, backend), await volumeAt(store, backend)];
  await age(store, made, LONG_MS);
  await age(store, fresh, -LONG_MS);
  const { resourceId: atWork } = await readyRow(store);
  await age(store, atWork, LONG_MS);
  const [never, soon] = [randomUUID(), randomUUID()];
  for (const id of [made, fresh, atWork, never]) await claim(id);
  await claim(soon, 0);

  const sweep = sweepClaims({ store, claims, reportIntervalMs: REPORT_MS, downAfterMs: 60_000, log: SILENT });
  sweep.start();
  t.teardown(() => sweep.stop());
  const left = async () => (await claims.list(backend))?.claims.map(({ volumeId }) => volumeId).toSorted();
  await eventually('the rest ends', async () => (await left())?.length === 2);

  t.deepEqual(await left(), [atWork, fresh].toSorted());
  await sweep.stop();
  await sweep.stop();
});

storesFor('a backend whose claims cannot be read keeps no room of the others', async (t, store) => {
  const redis = await redisFor(t);
  const claims = claimsOver(redis, { workMs: 600_000, reportIntervalMs: REPORT_MS });
  const backends = [newBackend(), newBackend()].toSorted();
  for (const backend of backends) await volumeAt(store, backend);
  const [unreadable = '', other = ''] = backends;
  await redis.client.set(claimKeysOf(unreadable).claims, 'no hash');
  await claims.claim({ volumeId: randomUUID(), epoch: 2 }, poolAs(other, 'p', 100, 1), 1, false);

  const sweep = sweepClaims({ store, claims, reportIntervalMs: REPORT_MS, downAfterMs: 60_000, log: SILENT });
  sweep.start();
  t.teardown(() => sweep.stop());
  const left = async () => (await claims.list(other))?.count;
  await eventually('the other ends', async () => (await left()) === 0);
  t.is(await left(), 0);
});

/** A volume on a backend, of which nothing is left to do. */
async function volumeAt(store: Store, backend: string): Promise<string> {
  const { id } = await recorded(store);
  await store.apply([placeVolume({ id, host: `${backend}#p`, clusterName: null, availabilityZone: 'nova' })]);
  return id;
}

/** As if it had last been written so long ago. */
async function age(store: Store, id: string, ms: number): Promise<void> {
  await store.apply([{ statement: written.with({ id, ms }), rows: 1 }]);
}

const written = statement<{ id: string; ms: number }>()(({ db, now }, p) =>
  db
    .updateTable('volumes')
    .set({ updated_at: sql<number>`${now} - ${p.ms}` })
    .where('id', '=', p.id),
);
