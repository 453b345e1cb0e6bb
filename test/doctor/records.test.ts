import { randomUUID } from 'node:crypto';
import { insertCharge, insertHold, markHeld, undoHoldsOf } from '#src/db/quota-settlements.js';
import { statement } from '#src/db/statement.js';
import type { Step, Store } from '#src/db/store.js';
import { claimWorker } from '#src/db/worker-claims.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { insertStagedWorker, putReadyWorker } from '#src/db/workers.js';
import { findVolume, insertVolume } from '#src/db/volumes.js';
import type { Check } from '#src/doctor/check.js';
import type { Finding } from '#src/doctor/diagnosis.js';
import {
  alive,
  BACKEND,
  CONTEXT,
  deletionOf,
  eventsOf,
  messagesOf,
  readyRow,
  registered,
  rowOf,
  silent,
} from '../casts/rows.js';
import { breakRow } from '../support/broken-rows.js';
import { storesFor } from '../support/sql.js';
import { newVolume, recorded } from '../support/volumes.js';
import { checks, diagnosed, DOWN_MS, FLOW_MS } from './diagnosed.js';

const kinds = (findings: readonly Finding[]) => findings.map(({ kind }) => kind);

storesFor('a system at work has nothing wrong', async (t, store) => {
  await alive(store, 'living');
  const service = await registered(store, BACKEND, 'living');
  await readyRow(store);
  const waiting = await readyRow(store, { work: 'create' });
  await older(store, waiting.resourceId, 10 * DOWN_MS);
  const long = await readyRow(store, { work: 'create' });
  await store.apply([claimOf(long, 'living', service)]);
  await older(store, long.resourceId, 10 * DOWN_MS);
  await deletionOf(store, await readyRow(store, { work: 'create' }));
  await staged(store, { settled: false });

  const { findings, examined } = await diagnosed(store);

  t.deepEqual(findings, []);
  t.deepEqual(examined, { work: 6, volumes: 6, settlements: 1 });
});

storesFor('work of a dead owner is found after two times the time that makes it dead', async (t, store) => {
  await alive(store, 'owner');
  const service = await registered(store, BACKEND, 'owner');
  const row = await readyRow(store, { work: 'create' });
  await store.apply([claimOf(row, 'owner', service)]);
  await older(store, row.resourceId, 10 * DOWN_MS);

  await silent(store, 'owner', 1.5 * DOWN_MS);
  t.deepEqual((await diagnosed(store)).findings, [], 'somebody may still take it over');

  await silent(store, 'owner', DOWN_MS);
  const { findings } = await diagnosed(store, true);
  t.like(findings[0], { kind: 'work_of_dead_owner', resource: row.resourceId, repairable: false, repaired: false });
  t.regex(
    findings[0]?.description ?? '',
    /claimed row of CreateVolume.* cinder-volume of alpha@file: its owner is dead/,
  );
  t.is(findings.length, 1);
  t.truthy(await rowOf(store, row.resourceId), 'its backend goes on with it');
});

storesFor('work that waits for a service that is not alive is found', async (t, store) => {
  const row = await readyRow(store, { work: 'create' });
  t.deepEqual((await diagnosed(store)).findings, [], 'it waits for a moment only');

  await older(store, row.resourceId, 3 * DOWN_MS);
  const { findings } = await diagnosed(store);
  t.like(findings[0], { kind: 'work_without_service', resource: row.resourceId });

  await alive(store, 'living');
  await registered(store, BACKEND, 'living');
  t.deepEqual((await diagnosed(store)).findings, []);
});

storesFor('work on a volume that is gone loses its row', async (t, store) => {
  const row = await readyRow(store, { work: 'create' });
  await write(store, destroy.with({ id: row.resourceId }));

  t.like((await diagnosed(store)).findings[0], { kind: 'work_without_resource', repairable: true, repaired: false });
  t.truthy(await rowOf(store, row.resourceId), 'a look changes nothing');

  t.like((await diagnosed(store, true)).findings[0], { repaired: true, remedy: 'the row was removed' });
  t.is(await rowOf(store, row.resourceId), undefined);
  t.deepEqual((await diagnosed(store)).findings, []);
});

storesFor('work on a snapshot that is gone loses its row', async (t, store) => {
  const { message } = await readyRow(store);
  const resourceId = randomUUID();
  const worker = { resourceType: 'Snapshot', resourceId, status: 'creating', target: null, message } as const;
  await store.apply([putReadyWorker({ ...worker, context: CONTEXT })]);

  t.like((await diagnosed(store, true)).findings, [{ kind: 'work_without_resource', resource: resourceId }]);
  t.is(await rowOf(store, resourceId), undefined);
});

storesFor('work on a volume in another status loses its row, and the volume stays as it is', async (t, store) => {
  const row = await readyRow(store, { work: 'create' });
  await write(store, setStatus.with({ id: row.resourceId, status: 'available' }));

  const { findings } = await diagnosed(store, true);

  t.like(findings, [{ kind: 'work_of_other_status', resource: row.resourceId, repaired: true }]);
  t.is(await rowOf(store, row.resourceId), undefined);
  t.is((await findVolume(store, { id: row.resourceId }))?.status, 'available');
  t.deepEqual((await diagnosed(store)).findings, []);
});

storesFor('an extension whose quota nobody will decide gives the volume back', async (t, store) => {
  const { message } = await readyRow(store);
  const { id } = await recorded(store, { status: 'extending' });
  const worker = { resourceType: 'Volume', resourceId: id, status: 'extending', target: null, message } as const;
  await store.apply([insertStagedWorker({ ...worker, context: CONTEXT }, 'writer')]);

  t.like((await diagnosed(store, true)).findings, [{ kind: 'work_without_settlement', resource: id, repaired: true }]);
  t.is((await findVolume(store, { id }))?.status, 'available');
  t.is((await eventsOf(store, id)).at(-1), 'volume.extend.error');
});

storesFor(
  'a creation whose quota nobody will decide ends in error, and its project is counted anew',
  async (t, store) => {
    const id = await staged(store, { settled: true });

    const { findings, recounted } = await diagnosed(store, true);

    t.like(findings, [{ kind: 'work_without_settlement', resource: id, repaired: true }]);
    t.is((await findVolume(store, { id }))?.status, 'error');
    t.is(await rowOf(store, id), undefined);
    t.is((await messagesOf(store, id)).length, 1);
    t.deepEqual(recounted, ['p1']);
    t.deepEqual((await diagnosed(store)).findings, []);
  },
);

const ENDINGS = [
  ['creating', 'error', 'volume.create.error'],
  ['downloading', 'error', 'volume.create.error'],
  ['deleting', 'error_deleting', 'volume.delete.error'],
  ['extending', 'available', 'volume.extend.error'],
  ['retyping', 'available', 'volume.retype.error'],
  ['managing', 'error_managing', 'volume.manage.error'],
  ['uploading', 'available', 'volume.upload.error'],
  ['reverting', 'available', 'volume.revert.error'],
] as const;

storesFor('a volume in a transient status that nobody is at work on is taken out of it', async (t, store) => {
  const volumes = new Map<string, (typeof ENDINGS)[number]>();
  for (const ending of ENDINGS) volumes.set((await recorded(store, { status: ending[0] })).id, ending);
  await readyRow(store); // and this one is left alone

  t.deepEqual(
    kinds((await diagnosed(store)).findings),
    ENDINGS.map(() => 'status_without_work'),
  );

  const { findings, recounted } = await diagnosed(store, true);
  t.deepEqual(findings.map(({ resource }) => resource).toSorted(), [...volumes.keys()].toSorted());
  for (const [id, [, status, event]] of volumes) {
    t.is((await findVolume(store, { id }))?.status, status);
    t.is((await eventsOf(store, id)).at(-1), event);
    t.is((await messagesOf(store, id)).length, 1);
  }
  t.deepEqual(recounted, ['p1', 'p1'], 'only creations have been charged');
  t.deepEqual((await diagnosed(store)).findings, []);
});

storesFor('a volume over whose data an image was being written is left to a person', async (t, store) => {
  const { message } = await readyRow(store);
  const [launched, noted] = [
    (await recorded(store, { status: 'downloading' })).id,
    (await recorded(store, { status: 'downloading' })).id,
  ];
  await breakRow(store, 'volumes', launched, { launched_at: 1 });
  await breakRow(store, 'volumes', noted, { previous_status: 'available' });
  const broken = (await recorded(store, { status: 'downloading' })).id;
  const worker = { resourceType: 'Volume', resourceId: broken, status: 'downloading', target: null } as const;
  await store.apply([putReadyWorker({ ...worker, message: { ...message, method: 'Reimage' }, context: CONTEXT })]);
  await breakRow(store, 'workers', broken, { state: 'dancing' });

  const { findings } = await diagnosed(store, true);

  t.deepEqual(
    findings.map(({ kind, resource }) => [kind, resource]).toSorted(),
    [
      ['status_without_work', launched],
      ['status_without_work', noted],
      ['work_unreadable', broken],
    ].toSorted(),
  );
  for (const { resource, repairable, repaired, remedy } of findings) {
    t.deepEqual([repairable, repaired], [false, false]);
    t.regex(remedy, /^an image was being written over its data: .*`volume reset-state`/);
    t.is((await findVolume(store, { id: resource }))?.status, 'downloading');
  }
});

storesFor('a volume on which work begins between look and repair is left alone', async (t, store) => {
  const { id } = await recorded(store, { status: 'creating' });
  const begins: Check = {
    subject: 'volumes',
    look: async (range, signal) => {
      const page = await checks(store).volumes.look(range, signal);
      const suspects = page.suspects.map((suspect) => ({
        ...suspect,
        repair: async () => {
          const { message } = await readyRow(store);
          const worker = { resourceType: 'Volume', resourceId: id, status: 'creating', target: null } as const;
          await store.apply([putReadyWorker({ ...worker, message, context: CONTEXT })]);
          return (await suspect.repair?.(signal)) ?? '';
        },
      }));
      return { ...page, suspects };
    },
  };

  const { findings } = await diagnosed(store, true, [begins]);

  t.like(findings, [{ resource: id, repaired: false }]);
  t.is((await findVolume(store, { id }))?.status, 'creating');
  t.truthy(await rowOf(store, id));
  t.deepEqual(await messagesOf(store, id), []);
});

storesFor('a charge that has not reached Redis for too long is found', async (t, store) => {
  const id = await staged(store, { settled: false });
  await write(store, ageCharges.with({ ms: 5 * FLOW_MS }));

  const { findings } = await diagnosed(store);

  t.like(findings, [{ kind: 'settlement_left', repairable: false }]);
  t.regex(findings[0]?.description ?? '', new RegExp(`open charge of Volume ${id} in project p1 .* for 5\\d s`));
});

storesFor('quota that is held for work that is not there is given back', async (t, store) => {
  const row = await readyRow(store);
  const lost = randomUUID();
  for (const resourceId of [row.resourceId, lost]) {
    const id = randomUUID();
    const hold = { id, projectId: 'p1', deltas: { gigabytes: 1 }, resourceType: 'Volume', resourceId };
    await store.apply([insertHold(hold), markHeld(id)]);
  }

  const { findings } = await diagnosed(store, true);

  t.deepEqual(kinds(findings), ['hold_without_work']);
  t.true(findings[0]?.repaired);
  t.deepEqual((await diagnosed(store)).findings, []);
  const [undone] = await store.apply([undoHoldsOf('Volume', row.resourceId)]);
  t.is(undone?.rows, 1, 'the hold of the work that is there was left alone');
});

storesFor('more rows and volumes than a page are all looked at, and every wrong one is found', async (t, store) => {
  const { message } = await readyRow(store);
  const gone = Array.from({ length: 620 }, () => randomUUID());
  const worker = { resourceType: 'Volume', status: 'creating', target: null, message, context: CONTEXT } as const;
  const stuck = Array.from({ length: 620 }, () => newVolume());
  await store.apply([
    ...gone.map((resourceId) => putReadyWorker({ ...worker, resourceId })),
    ...stuck.flatMap((volume) => insertVolume(volume)),
  ]);

  const { findings, examined } = await diagnosed(store, true);

  t.deepEqual(examined, { work: 621, volumes: 621, settlements: 0 });
  t.deepEqual(findings.map(({ resource }) => resource).toSorted(), [...gone, ...stuck.map(({ id }) => id)].toSorted());
  t.true(findings.every(({ repaired }) => repaired));
  t.deepEqual((await diagnosed(store)).findings, []);
});

function claimOf({ resourceType, resourceId, epoch }: ReadyWorker, owner: string, serviceId: string): Step {
  const hold = { resourceType, resourceId, epoch, owner, serviceId, binary: 'cinder-volume', target: BACKEND };
  return { ...claimWorker(hold), rows: 1 };
}

/** A creation whose quota is being decided; `settled`: and about which nothing is undecided. */
async function staged(store: Store, { settled }: { readonly settled: boolean }): Promise<string> {
  const { message } = await readyRow(store);
  const { id } = await recorded(store);
  const worker = { resourceType: 'Volume', resourceId: id, status: 'creating', target: null, message } as const;
  const charge = { id: randomUUID(), projectId: 'p1', deltas: { volumes: 1 }, resourceType: 'Volume', resourceId: id };
  await store.apply([
    insertStagedWorker({ ...worker, context: CONTEXT }, 'writer'),
    ...(settled ? [] : [insertCharge(charge)]),
  ]);
  return id;
}

/** Makes a row look as if nobody had written it for so long. */
const older = (store: Store, id: string, ms: number) => write(store, untouched.with({ id, ms }));

async function write(store: Store, change: Step['statement']): Promise<void> {
  await store.apply([{ statement: change, rows: 1 }]);
}

const untouched = statement<{ id: string; ms: number }>()(({ db }, p) =>
  db
    .updateTable('workers')
    .set((eb) => ({ updated_at: eb('updated_at', '-', p.ms) }))
    .where('resource_id', '=', p.id),
);

const ageCharges = statement<{ ms: number }>()(({ db }, p) =>
  db.updateTable('quota_settlements').set((eb) => ({ created_at: eb('created_at', '-', p.ms) })),
);

const setStatus = statement<{ id: string; status: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ status: p.status }).where('id', '=', p.id),
);

const destroy = statement<{ id: string }>()(({ db, now }, p) =>
  db.updateTable('volumes').set({ status: 'deleted', deleted_at: now }).where('id', '=', p.id),
);
