import { randomUUID } from 'node:crypto';
import { defaultTypes } from '#src/api/default-types.js';
import { deleteVolumeType } from '#src/api/handlers/delete-volume-type.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { insertVolumeType } from '#src/db/volume-type-changes.js';
import { Fault } from '#src/errors/fault.js';
import { CONTEXT } from '../casts/rows.js';
import { storesFor } from '../support/sql.js';
import { around, Creations, NOTHING } from './creations.js';

storesFor('a volume whose type is deleted before it is recorded is refused, and nothing is left', async (t, store) => {
  const name = await newType(store);
  const creations = await Creations.over(t, store, { between: around('before', 1, () => deletion(store, name)) });
  await t.throwsAsync(creations.ask({ volumeType: name }), { name: 'VolumeTypeNotFound' });
  t.deepEqual(await creations.books(), NOTHING);
});

storesFor('a type is deleted or gets volumes, never both, however they meet', async (t, store) => {
  const creations = await Creations.over(t, store, { limits: { volumes: -1, gigabytes: -1 } });
  const endings = new Set<string>();
  for (let round = 0; round < 25; round++) {
    const name = await newType(store);
    const deleting = async () => (await tick(round % 5), deletion(store, name));
    const making = async (nth: number) => (await tick(nth), creations.ask({ volumeType: name }));
    const [deleted, ...made] = await Promise.allSettled([deleting(), making(0), making(1), making(2)]);
    const accepted = made.filter(({ status }) => status === 'fulfilled').length;
    for (const end of made)
      if (end.status === 'rejected') t.true(Fault.is(end.reason, 'VolumeTypeNotFound'), String(end.reason));
    if (deleted.status === 'rejected') t.true(Fault.is(deleted.reason, 'VolumeTypeInUse'), String(deleted.reason));
    t.is(deleted.status === 'fulfilled', accepted === 0, `${deleted.status}, ${accepted} made`);
    endings.add(deleted.status);
  }
  t.deepEqual(await store.read(ofDeletedTypes.with({})), []);
});

const tick = (turns: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, turns));

async function newType(store: Store): Promise<string> {
  const name = `type-${randomUUID().slice(0, 8)}`;
  const type = { id: randomUUID(), name, description: null, isPublic: true, extraSpecs: new Map<string, string>() };
  await store.apply(insertVolumeType(type));
  return name;
}

/** Asks as an administrator does. */
function deletion(store: Store, volumeType: string): Promise<object> {
  const defaults = defaultTypes(() => Promise.reject(new Error('not asked')));
  const handler = deleteVolumeType({ store, defaults, configuredName: '__DEFAULT__' });
  const context = { ...CONTEXT, roles: ['admin'] };
  const call = { context, deadline: Date.now() + 10_000, signal: new AbortController().signal };
  return handler({ volumeType, idempotencyKey: undefined }, call);
}

const ofDeletedTypes = statement()(({ db }) =>
  db
    .selectFrom('volumes')
    .innerJoin('volume_types', 'volume_types.id', 'volumes.volume_type_id')
    .select('volumes.id')
    .where('volumes.deleted_at', 'is', null)
    .where('volume_types.deleted_at', 'is not', null),
);
