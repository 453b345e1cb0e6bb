import { randomUUID } from 'node:crypto';
import { recordsOfNoBackend } from '#src/db/backend-records.js';
import { insertCharge, insertRelease } from '#src/db/quota-settlements.js';
import type { Store } from '#src/db/store.js';
import { putReadyWorker } from '#src/db/workers.js';
import { breakRow } from '../support/broken-rows.js';
import { snapshot } from '../support/quota-records.js';
import { storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';
import { alive, claimed, CONTEXT, everything, readyRow, registered, rowOf } from '../casts/rows.js';
import { diagnosed, FLOW_MS } from './diagnosed.js';

storesFor('work with a broken context is looked at like any other', async (t, store) => {
  await alive(store, 'living', 'cinder-scheduler');
  await registered(store, 'alpha', 'living', 'cinder-scheduler');
  const { resourceId } = await readyRow(store);
  await breakRow(store, 'workers', resourceId, { context: 'not JSON' });
  const { findings, examined } = await diagnosed(store);
  t.deepEqual(findings, []);
  t.is(examined['work'], 1);
});

storesFor('work in a state that is none is found, and its volume ended', async (t, store) => {
  const { resourceId } = await readyRow(store);
  await breakRow(store, 'workers', resourceId, { state: 'dancing', context: 'null', status: 'whatever' });

  const { findings, recounted } = await diagnosed(store, true);

  t.like(findings, [{ kind: 'work_unreadable', resource: resourceId, repairable: true, repaired: true }]);
  t.is(findings[0]?.description, "the row of CreateVolume is 'dancing', which no work is");
  const { volume, row, messages } = await everything(store, resourceId);
  t.like(volume, { status: 'error', statusReason: 'The record of the work on it cannot be read.' });
  t.is(row, undefined);
  t.is(messages.length, 1);
  t.deepEqual(recounted, [volume?.projectId]);
  t.deepEqual((await diagnosed(store)).findings, []);
});

storesFor(
  'no repair is promised of work that nobody can end but by hand, and the operator is told how',
  async (t, store) => {
    const { message, resourceId } = await readyRow(store);
    const { id: snapshotId, steps } = snapshot({ projectId: 'p1', volumeId: resourceId, status: 'creating' });
    await store.apply(steps);
    const ofSnapshot = { resourceType: 'Snapshot', resourceId: snapshotId, status: 'creating', target: null } as const;
    await store.apply([putReadyWorker({ ...ofSnapshot, message, context: CONTEXT })]);
    await breakRow(store, 'workers', snapshotId, { state: 'dancing' });
    const { id: volumeId } = await recorded(store, { status: 'error_deleting' });
    const ofVolume = { resourceType: 'Volume', resourceId: volumeId, status: 'error_deleting', target: null } as const;
    await store.apply([putReadyWorker({ ...ofVolume, message, context: CONTEXT })]);
    await breakRow(store, 'workers', volumeId, { state: 'dancing' });

    for (const repair of [false, true]) {
      const { findings: found } = await diagnosed(store, repair);
      t.like(found[0], { resource: snapshotId, repairable: false, repaired: false });
      t.regex(found[0]?.remedy ?? '', /remove its row of work from the records by hand/);
      t.like(found[1], { resource: volumeId, repairable: false, repaired: false });
      t.regex(found[1]?.remedy ?? '', /`volume reset-state` sets its status, and ends the work/);
    }
  },
);

storesFor('volumes in a status that is none are found, and left to an operator', async (t, store) => {
  const statuses = ['dancing', '', 'Available', 'zz\ntop'];
  const odd = await Promise.all(statuses.map(() => recorded(store)));
  for (const [index, { id }] of odd.entries()) {
    await breakRow(store, 'volumes', id, { status: statuses[index] ?? '' });
  }
  await recorded(store, { status: 'available' });

  const { findings, examined } = await diagnosed(store, true);

  t.deepEqual(findings.map(({ resource }) => resource).toSorted(), odd.map(({ id }) => id).toSorted());
  t.true(findings.every(({ kind, repaired }) => kind === 'status_unreadable' && !repaired));
  t.is(
    findings.find(({ resource }) => resource === odd[0]?.id)?.description,
    "the volume is 'dancing', which no volume is",
  );
  t.is(examined['volumes'], statuses.length);
});

storesFor('statuses without number are looked at a hundred at a time', async (t, store) => {
  for (let i = 0; i < 110; i += 1) {
    const { id } = await recorded(store);
    await breakRow(store, 'volumes', id, { status: `odd ${String(i).padStart(3, '0')}` });
  }
  t.is((await diagnosed(store)).findings.length, 100);
});

for (const column of ['not_before', 'send_until']) {
  storesFor(`work that is to rest for years by its ${column} is found, and sent again`, async (t, store) => {
    await alive(store, 'living', 'cinder-scheduler');
    await registered(store, 'alpha', 'living', 'cinder-scheduler');
    const { resourceId } = await readyRow(store);
    await breakRow(store, 'workers', resourceId, { [column]: 9_000_000_000_000 });

    const { findings } = await diagnosed(store, true);

    t.like(findings, [{ kind: 'work_unreadable', resource: resourceId, repaired: true, remedy: 'it is sent again' }]);
    t.like(await rowOf(store, resourceId), { state: 'ready', not_before: 0, send_until: 0 });
    t.is((await everything(store, resourceId)).volume?.status, 'creating');
    t.deepEqual((await diagnosed(store)).findings, []);
  });
}

storesFor('work whose owner seems to live in the future is found, and sent again', async (t, store) => {
  await alive(store, 'owner', 'cinder-scheduler');
  const row = await readyRow(store);
  await claimed(store, row, 'owner');
  await breakRow(store, 'processes', 'owner', { heartbeat_at: 9_000_000_000_000 });

  const { findings } = await diagnosed(store, true);

  t.like(findings, [{ kind: 'work_unreadable', resource: row.resourceId, repaired: true }]);
  t.like(await rowOf(store, row.resourceId), { state: 'ready', epoch: 3, owner: null });
});

storesFor(
  'changes of quota that nobody can settle are found and removed, and their project counted',
  async (t, store) => {
    const ids = {
      kind: await charged(store),
      state: await charged(store),
      old: await charged(store),
      young: await charged(store),
      released: await released(store),
    };
    await breakRow(store, 'quota_settlements', ids.kind, { kind: 'gift' });
    await breakRow(store, 'quota_settlements', ids.state, { state: 'dancing' });
    await breakRow(store, 'quota_settlements', ids.old, { deltas: 'not JSON', created_at: 0 });
    await breakRow(store, 'quota_settlements', ids.young, { deltas: '{"volumes": "many"}' });

    const { findings, recounted } = await diagnosed(store, true);

    const { kind, state, old } = ids;
    t.deepEqual(findings.map((each) => each.resource).toSorted(), [kind, state, old].toSorted());
    t.true(findings.every((each) => each.kind === 'settlement_unreadable' && each.repaired));
    t.deepEqual(recounted, ['p1', 'p1', 'p1']);
    const { findings: left, examined } = await diagnosed(store);
    t.deepEqual(left, []);
    t.is(examined['settlements'], 2, 'what recovery settles by counting, and what is right, was left alone');
  },
);

async function charged(store: Store): Promise<string> {
  const id = randomUUID();
  const charge = { id, projectId: 'p1', deltas: { volumes: 1 }, resourceType: 'Volume', resourceId: randomUUID() };
  await store.apply([insertCharge(charge)]);
  return id;
}

async function released(store: Store): Promise<string> {
  const id = randomUUID();
  const release = { id, projectId: 'p1', deltas: { volumes: 1 }, resourceType: 'Volume', resourceId: randomUUID() };
  await store.apply([insertRelease(release, FLOW_MS)]);
  return id;
}

storesFor('a volume whose record names an empty backend is found as one that names none', async (t, store) => {
  const { id } = await recorded(store, { status: 'available' });
  await breakRow(store, 'volumes', id, { host: '' });
  t.like(await recordsOfNoBackend(store, 10), [{ id }]);
});
