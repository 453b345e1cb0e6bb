import { randomUUID } from 'node:crypto';
import { deleteVolume } from '#src/api/handlers/delete-volume.js';
import { readCreateVolumeOnScheduler } from '#src/casts/cast-messages.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import { findVolume, type NewVolume } from '#src/db/volumes.js';
import { isFault } from '#src/errors/fault.js';
import type { FlowListener } from '#src/flow/listeners.js';
import { type CreateVolumeRequest, DeleteVolumeRequest, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { postgresStore, postgresTest, storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';
import { around, Creations, NOTHING } from './creations.js';

const HOST = 'alpha@file#pool';

storesFor(
  'a clone takes size, type, zone and bootability from its source, and is bound to its pool',
  async (t, store) => {
    const creations = await Creations.over(t, store);
    const source = await sourceFor(store, creations, { sizeGib: 7, bootable: true, name: 'source' });

    const volume = await creations.ask({ size: undefined, sourceVolumeId: source, name: 'clone' });

    t.like(volume, {
      sourceVolumeId: source,
      size: 7,
      name: 'clone',
      bootable: true,
      volumeTypeId: DEFAULT_VOLUME_TYPE_ID,
    });
    t.like(volume, { status: VolumeStatus.CREATING, availabilityZone: 'nova', host: undefined });
    const { volume: cast, requestSpec } = sentBy(creations);
    t.like(cast, { id: volume.id, sourceVolumeId: source, sizeGib: 7 });
    t.like(requestSpec, { sourceVolumeId: source, resourceBackend: HOST, volumeProperties: { sizeGib: 7 } });
    t.is((await creations.books()).usage, '1/0 7/0 1/0 7/0', 'the source was recorded without a charge');
  },
);

storesFor('a source on a cluster binds its clone to the cluster', async (t, store) => {
  const creations = await Creations.over(t, store);
  const source = await sourceFor(store, creations, {}, 'cluster@file#pool');
  await creations.ask({ size: 2, sourceVolumeId: source });
  t.is(sentBy(creations).requestSpec?.resourceBackend, 'cluster@file#pool');
});

storesFor('a clone of an attached volume is accepted, and may be larger than its source', async (t, store) => {
  const creations = await Creations.over(t, store);
  const source = await sourceFor(store, creations);
  await store.apply([{ statement: setStatus.with({ id: source, status: 'in-use' }), rows: 1 }]);
  t.is((await creations.ask({ size: 4, sourceVolumeId: source })).size, 4);
});

storesFor('what cannot be cloned is refused before anything is recorded', async (t, store) => {
  const creations = await Creations.over(t, store);
  const id = await sourceFor(store, creations, { sizeGib: 2 });
  const foreign = await sourceFor(store, creations, { projectId: 'another' });
  const unborn = await recorded(store, { projectId: creations.context.projectId });
  const before = await creations.books();
  const refused: readonly (readonly [request: Partial<CreateVolumeRequest>, name: string])[] = [
    [{ sourceVolumeId: randomUUID() }, 'VolumeNotFound'],
    [{ sourceVolumeId: foreign }, 'VolumeNotFound'],
    [{ sourceVolumeId: unborn.id }, 'InvalidVolume'],
    [{ sourceVolumeId: id, size: 1 }, 'InvalidInput'],
    [{ sourceVolumeId: id, snapshotId: randomUUID() }, 'InvalidInput'],
    [{ sourceVolumeId: id.toUpperCase() }, 'InvalidInput'],
    [{ snapshotId: randomUUID() }, 'NotBuilt'],
  ];
  for (const [request, name] of refused) {
    await t.throwsAsync(creations.ask({ size: 2, ...request }), { name }, JSON.stringify(request));
  }
  for (const status of ['deleting', 'error', 'error_deleting', 'downloading', 'extending', 'maintenance', 'retyping']) {
    await store.apply([{ statement: setStatus.with({ id, status }), rows: 1 }]);
    await t.throwsAsync(creations.ask({ size: 2, sourceVolumeId: id }), { name: 'InvalidVolume' }, status);
  }
  await store.apply([{ statement: setStatus.with({ id, status: 'available' }), rows: 1 }]);
  t.deepEqual(await creations.books(), before);
});

storesFor(
  'a source that is deleted after it was looked at refuses the clone, and nothing is left of it',
  async (t, store) => {
    let id = '';
    const deleted = () => store.apply([transition('beginDelete', { id })]);
    const creations = await Creations.over(t, store, { between: around('before', 1, deleted) });
    id = await sourceFor(store, creations, { projectId: 'another-one' });
    const request = { sizeGib: 1, sourceVolumeId: id };
    const context = { ...creations.context, roles: ['admin'] };

    const error = await t.throwsAsync(creations.run(request, {}, context), { name: 'InvalidVolume' });

    t.regex(error.message, new RegExp(id));
    t.deepEqual(await creations.books(), NOTHING);
  },
);

storesFor('a source is not deleted while a clone of it is being made, and is afterwards', async (t, store) => {
  const creations = await Creations.over(t, store);
  const source = await sourceFor(store, creations);
  const { id } = await creations.ask({ size: 1, sourceVolumeId: source });
  const refusal = await t.throwsAsync(deleted(store, creations, source), { name: 'InvalidVolume' });
  t.regex(refusal.message, /source of a volume that is being made/);
  await t.throwsAsync(deleted(store, creations, source, true), { name: 'InvalidVolume' }, 'not even by force');

  await store.apply([transition('finishCreate', { id })]);

  await t.notThrowsAsync(deleted(store, creations, source));
  t.is((await findVolume(store, { id: source }))?.status, 'deleting');
});

storesFor('a repeated request for a clone gets the first clone, also when the source is gone', async (t, store) => {
  const creations = await Creations.over(t, store);
  const source = await sourceFor(store, creations);
  const request = { size: undefined, sourceVolumeId: source, idempotencyKey: 'once' };
  const first = await creations.ask(request);
  await store.apply([transition('finishCreate', { id: first.id })]);
  await deleted(store, creations, source);

  t.is((await creations.ask(request)).id, first.id);
  await t.throwsAsync(creations.ask({ ...request, sourceVolumeId: randomUUID() }), { name: 'IdempotencyKeyReused' });
});

postgresTest('of a clone and a deletion of its source at the same time exactly one wins, every time', async (t) => {
  const store = await postgresStore(t);
  const creations = await Creations.over(t, store, { limits: { volumes: -1, gigabytes: -1 } });
  const winners = { clone: 0, deletion: 0 };
  for (let round = 0; round < 40; round += 1) {
    const source = await sourceFor(store, creations);
    const begin = round % 2 === 0 ? 'EntryCreate' : 'QuotaReserve'; // the deletion comes late or early
    let deletion: Promise<unknown> = Promise.resolve();
    const listener: FlowListener = (_run, transition) => {
      if (transition.kind !== 'task' || transition.task !== begin || transition.state !== 'RUNNING') return;
      deletion = deleted(store, creations, source);
      deletion.catch(() => undefined); // looked at below
    };
    const cloned = await outcomeOf(creations.run({ sizeGib: 1, sourceVolumeId: source }, { listeners: [listener] }));
    const gone = await outcomeOf(deletion);

    t.not(cloned, gone, `round ${round}: exactly one of them`);
    t.deepEqual([cloned, gone].toSorted(), ['InvalidVolume', 'done']);
    winners[cloned === 'done' ? 'clone' : 'deletion'] += 1;
  }
  t.log(winners);
});

/** A volume of the project that is available on a backend. */
async function sourceFor(
  store: Store,
  creations: Creations,
  values: Partial<NewVolume> = {},
  clusterName: string | null = null,
): Promise<string> {
  const record = { projectId: creations.context.projectId, volumeTypeId: DEFAULT_VOLUME_TYPE_ID, useQuota: false };
  const { id } = await recorded(store, { ...record, ...values });
  await store.apply([
    placeVolume({ id, host: HOST, clusterName, availabilityZone: 'nova' }),
    transition('finishCreate', { id }),
  ]);
  return id;
}

function deleted(store: Store, { context }: Creations, volumeId: string, force = false): Promise<unknown> {
  const handler = deleteVolume({
    ...{ store, releaseGraceMs: 60_000, send: () => undefined },
    ...{ releaseQuota: async () => undefined, onReleaseLeft: () => undefined },
  });
  const call = { context: { ...context, roles: ['admin'] }, deadline: Date.now() + 10_000 };
  const request = DeleteVolumeRequest.create({ volumeId, force });
  return handler(request, { ...call, signal: new AbortController().signal });
}

/** The name of the fault, or that there was none. */
const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (isFault(error) ? error.name : String(error)),
  );

function sentBy(creations: Creations) {
  return readCreateVolumeOnScheduler(creations.sent.at(-1)?.message.payload ?? Buffer.alloc(0));
}

const setStatus = statement<{ id: string; status: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ status: p.status }).where('id', '=', p.id),
);
