import { randomUUID } from 'node:crypto';
import test from 'ava';
import {
  findSettlement,
  insertCharge,
  insertHold,
  markFinal,
  markHeld,
  markUndo,
  markVoid,
} from '#src/db/quota-settlements.js';
import { RowCountMismatch, UniqueViolation } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { InDoubt } from '#src/flow/in-doubt.js';
import { deadlineIn } from '#src/time/deadline.js';
import { CHARGED_VOLUMES, Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { connect, eventually, redisFor, redisServerFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

storesFor('a charge that is committed and finished leaves no row', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const creation = new Creation(engine, projectId, 10);
  await creation.all();
  t.is(await findSettlement(store, creation.reservationId), undefined);
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
  await t.throwsAsync(creation.tx2(), { instanceOf: RowCountMismatch });
});

storesFor('a charge whose reservation expired is undone in the order of a reverting flow', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve(1);
  await creation.tx1();
  await eventually('expired', async () => (await figures(engine, projectId)).startsWith('0/0'));
  t.is(await creation.commit(), 'expired');
  await revert(creation);
  t.is(await findSettlement(store, creation.reservationId), undefined);
  t.is(await findVolume(store, { id: creation.volumeId }), undefined);
  t.is(await figures(engine, projectId), '0/0 0/0 0/0 0/0');
});

storesFor('a committed charge is undone, however often each step of the revert is repeated', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  await new Creation(engine, projectId, 1).all();
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve();
  await creation.tx1();
  t.is(await creation.commit(), 'committed');
  const { store: records, settlements } = engine;
  for (let turn = 0; turn < 2; turn += 1) {
    await records.apply([markVoid(creation.reservationId)]);
    t.is(await settlements.undo(creation.charge, soon()), 'undone');
  }
  t.is(await figures(engine, projectId), '1/0 1/0 1/0 1/0', 'the space is back before the record is gone');
  await records.apply([markUndo(creation.reservationId), ...CHARGED_VOLUMES.destroy(rowOf(creation))]);
  t.is(await settlements.undo(creation.charge, soon()), 'settled');
  t.is(await settlements.undo(creation.charge, soon()), 'gone');
  t.is(await figures(engine, projectId), '1/0 1/0 1/0 1/0');
});

storesFor('a reservation without a row is rolled back', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const [first, second] = [new Creation(engine, projectId, 10), new Creation(engine, projectId, 10)];
  await first.reserve();
  await first.tx1();
  Object.assign(second, { volumeId: first.volumeId });
  await second.reserve();
  await t.throwsAsync(second.tx1(), { instanceOf: UniqueViolation });
  t.is(await engine.settlements.undo(second.charge, soon()), 'gone');
  t.is(await engine.settlements.undo(second.charge, soon()), 'gone');
  t.is(await figures(engine, projectId), '0/1 0/10 0/1 0/10');
});

test('an undo that the records do not know of is refused', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const creation = new Creation(engine, await projectWith(engine.store), 10);
  await creation.reserve();
  await creation.tx1();
  await t.throwsAsync(engine.settlements.undo(creation.charge, soon()), { message: /its row does not say so/ });
  t.is(await creation.commit(), 'committed');
});

storesFor('a commit reads its row before every attempt that is not the first', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const [disowned, ended] = [new Creation(engine, projectId, 1), new Creation(engine, projectId, 1)];
  for (const creation of [disowned, ended]) {
    await creation.reserve();
    await creation.tx1();
  }
  await store.apply([markVoid(disowned.reservationId)]);
  await ended.commit();
  await ended.tx2();
  const { settlements } = engine;
  t.is(await settlements.commit(disowned.charge, soon()), 'disowned');
  t.is(await settlements.commit(ended.charge, soon()), 'gone');
  t.is(await settlements.commit({ ...ended.charge, token: 'of another incarnation' }, soon()), 'gone');
});

test('a rebuild between the record and its commit disowns the charge, and its flow reverts', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve();
  await creation.tx1();
  await engine.redis.client.flushall();
  t.is(await creation.commit(), 'disowned');
  await t.throwsAsync(creation.tx2(), { instanceOf: RowCountMismatch });
  t.is(await figures(engine, projectId), '0/0 0/0 0/0 0/0', 'the record is there, but not decided');
  await revert(creation);
  t.is(await figures(engine, projectId), '0/0 0/0 0/0 0/0');
});

test('a commit without an answer is in doubt, and is as good as made when recovery has ended it', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve();
  await creation.tx1();
  const { client } = engine.redis;
  await client.client('PAUSE', 1_500);
  const error = await t.throwsAsync(creation.commit(deadlineIn(200)), { instanceOf: InDoubt });
  t.is(error.resourceId, creation.volumeId);
  t.is(await engine.recovery.sweep(), 1);
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
  t.is(await engine.settlements.commit(creation.charge, soon()), 'gone');
});

storesFor('a release gives back once, whatever is repeated', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const [kept, destroyed] = [new Creation(engine, projectId, 1), new Creation(engine, projectId, 10)];
  await kept.all();
  await destroyed.all();
  const release = await destroyed.destroy();
  const row = await findSettlement(store, release.id);
  t.is(await engine.quota.release({ ...release, until: row?.until ?? 0 }, soon()), 'released');
  t.is(await engine.settlements.settle(release, soon()), 'settled');
  t.is(await engine.settlements.settle(release, soon()), 'gone');
  t.is(await figures(engine, projectId), '1/0 1/0 1/0 1/0');
});

storesFor('a release that a rebuild has counted already is not applied again', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const [kept, destroyed] = [new Creation(engine, projectId, 1), new Creation(engine, projectId, 10)];
  await kept.all();
  await destroyed.all();
  const release = await destroyed.destroy();
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.is(await figures(engine, projectId), '1/0 1/0 1/0 1/0');
  t.is(await engine.settlements.settle(release, soon()), 'settled');
  t.is(await figures(engine, projectId), '1/0 1/0 1/0 1/0');
});

storesFor('a release that comes too late is made good from the records', async (t, store) => {
  const engine = engineOf(await redisFor(t), store, { ttlMs: 20 });
  const projectId = await projectWith(store);
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve(60_000);
  await creation.tx1();
  await creation.commit();
  await creation.tx2();
  const release = await creation.destroy();
  const { until } = (await findSettlement(store, release.id)) ?? {};
  await eventually('too late', () => Date.now() > (until ?? 0) + 5);
  t.is(await engine.settlements.settle(release, soon()), 'settled');
  t.is(await figures(engine, projectId), '0/0 0/0 0/0 0/0');
});

storesFor('a hold goes from reserved to held to use, and survives a rebuild in between', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const volume = new Creation(engine, projectId, 10);
  await volume.all();
  const hold = { ...volume.charge, id: randomUUID(), deltas: { gigabytes: 5 } };
  const { quota, settlements, rebuild } = engine;
  await quota.reserve(projectId, hold.deltas, { id: hold.id, deadline: soon() });
  await store.apply([insertHold(hold)]);
  t.is(await settlements.hold(hold, soon()), 'held');
  await store.apply([markHeld(hold.id)]);
  t.is(await settlements.settle(hold, soon()), 'undecided');

  await rebuild.run(projectId, 'unknown', soon());
  t.is(await figures(engine, projectId), '1/0 10/5 1/0 10/0');
  await store.apply([markFinal(hold.id)]);
  t.is(await settlements.settle(hold, soon()), 'settled');
  t.is(await figures(engine, projectId), '1/0 15/0 1/0 10/0');
  t.is(await findSettlement(store, hold.id), undefined);
});

storesFor('a hold whose work failed gives back what it held', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const hold = { ...new Creation(engine, projectId).charge, id: randomUUID(), deltas: { gigabytes: 5 } };
  const { quota, settlements } = engine;
  await quota.reserve(projectId, hold.deltas, { id: hold.id, deadline: soon() });
  await store.apply([insertHold(hold)]);
  await settlements.hold(hold, soon());
  await store.apply([markHeld(hold.id)]);
  await store.apply([markUndo(hold.id)]);
  t.is(await settlements.undo(hold, soon()), 'settled');
  t.is(await figures(engine, projectId), '0/0 0/0 0/0 0/0');
});

storesFor('a rebuild disowns the open charges and holds of its own project only', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const [mine, other] = [await projectWith(store), await projectWith(store)];
  const charge = new Creation(engine, mine).charge;
  const hold = { ...charge, id: randomUUID() };
  const foreign = new Creation(engine, other).charge;
  await store.apply([insertCharge(charge), insertHold(hold), insertCharge(foreign)]);
  await engine.rebuild.run(mine, 'unknown', soon());
  const state = async ({ id }: { id: string }) => (await findSettlement(store, id))?.state;
  t.deepEqual([await state(charge), await state(hold), await state(foreign)], ['void', 'void', 'open']);
});

/** As QuotaCommit, EntryCreate and QuotaReserve revert. */
async function revert(creation: Creation): Promise<void> {
  const { store, settlements } = creation.engine;
  await store.apply([markVoid(creation.reservationId)]);
  await settlements.undo(creation.charge, soon());
  await store.apply([markUndo(creation.reservationId), ...CHARGED_VOLUMES.destroy(rowOf(creation))]);
  await settlements.undo(creation.charge, soon());
}

function rowOf({ charge }: Creation) {
  return { ...charge, kind: 'charge', state: 'void', until: null, createdAt: 0 } as const;
}
