import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { DEFAULT_VOLUME_TYPE_ID, defaultVolumeType, findVolumeType, volumeTypeNames } from '#src/db/volume-types.js';
import { storesFor } from '../support/sql.js';

const insertType = statement<{ id: string; name: string; isPublic: number }>()(({ db, now }, p) =>
  db.insertInto('volume_types').values({
    ...{ id: p.id, name: p.name, description: null, is_public: p.isPublic, qos_specs_id: null },
    ...{ created_at: now, updated_at: now, deleted_at: null },
  }),
);
const deleteType = statement<{ id: string }>()(({ db, now }, p) =>
  db.updateTable('volume_types').set({ deleted_at: now }).where('id', '=', p.id),
);
const insertSpec = statement<{ id: string; position: number; key: string; value: string }>()(({ db }, p) =>
  db
    .insertInto('volume_type_extra_specs')
    .values({ volume_type_id: p.id, position: p.position, key: p.key, value: p.value }),
);
const grant = statement<{ id: string; projectId: string }>()(({ db }, p) =>
  db.insertInto('volume_type_access').values({ volume_type_id: p.id, project_id: p.projectId }),
);
const setDefault = statement<{ id: string; projectId: string }>()(({ db }, p) =>
  db.insertInto('default_volume_types').values({ volume_type_id: p.id, project_id: p.projectId }),
);

const makeType = (store: Store, id: string, name: string, isPublic = 1) =>
  store.apply([{ statement: insertType.with({ id, name, isPublic }) }]);

storesFor('every installation starts with one volume type', async (t, store) => {
  t.deepEqual(await findVolumeType(store, { idOrName: '__DEFAULT__' }), {
    id: DEFAULT_VOLUME_TYPE_ID,
    name: '__DEFAULT__',
    description: 'Default Volume Type',
    isPublic: true,
    qosSpecsId: null,
    extraSpecs: new Map(),
  });
});

storesFor('extra specs come in the order in which they were given', async (t, store) => {
  await makeType(store, 't1', 'fast');
  for (const [position, key] of ['zeta', 'alpha', '__proto__'].entries()) {
    await store.apply([{ statement: insertSpec.with({ id: 't1', position, key, value: `v${position}` }) }]);
  }
  const type = await findVolumeType(store, { idOrName: 'fast' });
  t.deepEqual(
    [...(type?.extraSpecs ?? [])],
    [
      ['zeta', 'v0'],
      ['alpha', 'v1'],
      ['__proto__', 'v2'],
    ],
  );
});

storesFor('a text is taken as an id before it is taken as a name', async (t, store) => {
  await makeType(store, 'x', 'named-y');
  await makeType(store, 'z', 'x');
  t.is((await findVolumeType(store, { idOrName: 'x' }))?.id, 'x');
  t.is((await findVolumeType(store, { idOrName: 'named-y' }))?.id, 'x');
});

storesFor('a private type is there only for the projects that may use it', async (t, store) => {
  await makeType(store, 't1', 'secret', 0);
  await store.apply([{ statement: grant.with({ id: 't1', projectId: 'p1' }) }]);
  t.is((await findVolumeType(store, { idOrName: 'secret', projectId: 'p1' }))?.id, 't1');
  t.is(await findVolumeType(store, { idOrName: 'secret', projectId: 'p2' }), undefined);
  t.is((await findVolumeType(store, { idOrName: 'secret' }))?.id, 't1');
});

storesFor("a project's default goes before the configured one, and neither is an error", async (t, store) => {
  const ask = (configuredName: string) => defaultVolumeType(store, { projectId: 'p1', configuredName });
  await makeType(store, 't1', 'own');
  t.is((await ask('__DEFAULT__')).name, '__DEFAULT__');
  await t.throwsAsync(ask('missing'), { name: 'VolumeTypeDefaultMisconfigured' });
  await store.apply([{ statement: setDefault.with({ id: 't1', projectId: 'p1' }) }]);
  t.is((await ask('__DEFAULT__')).name, 'own');
});

storesFor('the name of a deleted type is known and free again', async (t, store) => {
  await makeType(store, 't1', 'gone');
  await t.throwsAsync(makeType(store, 't2', 'gone'), { name: 'UniqueViolation' });
  await store.apply([{ statement: deleteType.with({ id: 't1' }) }]);
  await makeType(store, 't2', 'gone');
  t.is((await findVolumeType(store, { idOrName: 'gone' }))?.id, 't2');
  t.deepEqual(
    await volumeTypeNames(store, ['t1', 't2', 'none']),
    new Map([
      ['t1', 'gone'],
      ['t2', 'gone'],
    ]),
  );
});
