import { findSettlement, markVoid } from '#src/db/quota-settlements.js';
import { findVolume } from '#src/db/volumes.js';
import { breakRow } from '../support/broken-rows.js';
import { Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { redisFor } from '../support/redis.js';
import { storesFor } from '../support/sql.js';

/** Texts that are no amounts. */
const NO_AMOUNTS = ['', 'not JSON', 'null', '5', '[1]', '{"volumes": "many"}', '{"volumes": 1.5}', '{"": 1}'];

storesFor('amounts that somebody broke keep no neighbour waiting, and end with exact quota', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const project = await projectWith(store, { volumes: -1, gigabytes: -1 });
  const [kept, undone, gone, sound] = [
    new Creation(engine, project, 2),
    new Creation(engine, project, 3),
    new Creation(engine, project, 5),
    new Creation(engine, project, 7),
  ];
  for (const creation of [kept, undone]) {
    await creation.reserve();
    await creation.tx1();
  }
  await undone.commit();
  await store.apply([markVoid(undone.reservationId)]);
  await gone.all();
  const release = await gone.destroy();
  await sound.all();
  const neighbour = await sound.destroy();
  const broken = [kept.reservationId, undone.reservationId, release.id];
  for (const id of broken) await breakRow(store, 'quota_settlements', id, { deltas: 'not JSON' });

  await engine.recovery.sweep();

  for (const id of [...broken, neighbour.id]) t.is(await findSettlement(store, id), undefined);
  t.truthy(await findVolume(store, { id: kept.volumeId }));
  t.is(await findVolume(store, { id: undone.volumeId }), undefined);
  t.is(await figures(engine, project), '1/0 2/0 1/0 2/0');
  t.deepEqual(await engine.check.run(project, { by: 'request', mend: false }, soon()), []);
});

for (const deltas of NO_AMOUNTS) {
  storesFor(`a release of ${JSON.stringify(deltas)} is settled by counting`, async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const project = await projectWith(store);
    await new Creation(engine, project, 1).all();
    const gone = new Creation(engine, project, 5);
    await gone.all();
    const { id } = await gone.destroy();
    await breakRow(store, 'quota_settlements', id, { deltas });
    await engine.recovery.sweep();
    t.is(await findSettlement(store, id), undefined);
    t.is(await figures(engine, project), '1/0 1/0 1/0 1/0');
  });
}
