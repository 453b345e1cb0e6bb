import { defaultVolumeType, deleteDefaultVolumeType, putDefaultVolumeType } from '#src/db/default-volume-types.js';
import { RowCountMismatch, type Store, UniqueViolation } from '#src/db/store.js';
import {
  deleteVolumeTypeAccess,
  demandPrivateVolumeType,
  insertVolumeTypeAccess,
  listVolumeTypeAccess,
} from '#src/db/volume-type-access.js';
import {
  deleteExtraSpecs,
  deleteVolumeType,
  insertVolumeType,
  type NewVolumeType,
  setExtraSpecs,
  updateVolumeType,
  whyTypeStays,
} from '#src/db/volume-type-changes.js';
import {
  DEFAULT_VOLUME_TYPE_ID,
  demandUsableVolumeType,
  demandVolumeType,
  findVolumeType,
  listVolumeTypes,
  volumeTypeNames,
} from '#src/db/volume-types.js';
import { findLimits, upsertLimit } from '#src/db/quota-limits.js';
import { storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const CONFIGURED = { configuredName: '__DEFAULT__', limitKeys: [] };

const make = (store: Store, id: string, type: Partial<NewVolumeType> = {}) =>
  store.apply(insertVolumeType({ id, name: id, description: null, isPublic: true, extraSpecs: new Map(), ...type }));
const specsOf = async (store: Store, id: string) =>
  [...((await findVolumeType(store, { idOrName: id }))?.extraSpecs ?? [])].map((pair) => pair.join('='));

storesFor('every installation starts with one volume type', async (t, store) => {
  const type = await findVolumeType(store, { idOrName: '__DEFAULT__' });
  t.like(type, {
    id: DEFAULT_VOLUME_TYPE_ID,
    name: '__DEFAULT__',
    description: 'Default Volume Type',
    isPublic: true,
    qosSpecsId: null,
  });
  t.deepEqual(type?.extraSpecs, new Map());
  t.true(Math.abs(Date.now() - (type?.createdAt ?? 0)) < 600_000);
});

storesFor(
  'extra specs keep the order in which they came: known ones their place, new ones the end',
  async (t, store) => {
    const given = new Map([
      ['zeta', '1'],
      ['alpha', '2'],
      ['__proto__', '3'],
    ]);
    await make(store, 't1', { extraSpecs: given });
    t.deepEqual(await specsOf(store, 't1'), ['zeta=1', 'alpha=2', '__proto__=3']);
    await store.apply(
      setExtraSpecs(
        't1',
        new Map([
          ['mid', 'x'],
          ['alpha', 'y'],
          ['a', ''],
        ]),
        128,
      ),
    );
    t.deepEqual(await specsOf(store, 't1'), ['zeta=1', 'alpha=y', '__proto__=3', 'mid=x', 'a=']);
    await store.apply(deleteExtraSpecs('t1', new Set(['alpha', 'mid'])));
    await store.apply(setExtraSpecs('t1', new Map([['alpha', 'again']]), 128));
    t.deepEqual(await specsOf(store, 't1'), ['zeta=1', '__proto__=3', 'a=', 'alpha=again']);
  },
);

storesFor('a key that is not there keeps all the others, too', async (t, store) => {
  await make(store, 't1', {
    extraSpecs: new Map([
      ['a', '1'],
      ['b', '2'],
    ]),
  });
  const missed = await t.throwsAsync<RowCountMismatch>(store.apply(deleteExtraSpecs('t1', new Set(['a', 'c']))));
  t.is(missed.step, 1);
  t.deepEqual(await specsOf(store, 't1'), ['a=1', 'b=2']);
});

storesFor('a type has no more extra specs than it may, however many are added at once', async (t, store) => {
  await make(store, 't1');
  const ends = await Promise.allSettled(
    Array.from({ length: 12 }, (_, n) => store.apply(setExtraSpecs('t1', new Map([[`k${n}`, 'v']]), 8))),
  );
  t.is(ends.filter(({ status }) => status === 'fulfilled').length, 8);
  t.is((await specsOf(store, 't1')).length, 8);
  await t.notThrowsAsync(
    store.apply(setExtraSpecs('t1', new Map([[(await specsOf(store, 't1'))[0]?.split('=')[0] ?? '', 'w']]), 8)),
  );
});

storesFor('a text is taken as an id before it is taken as a name', async (t, store) => {
  await make(store, 'x', { name: 'named-y' });
  await make(store, 'z', { name: 'x' });
  t.is((await findVolumeType(store, { idOrName: 'x' }))?.id, 'x');
  t.is((await findVolumeType(store, { idOrName: 'named-y' }))?.id, 'x');
});

storesFor('a private type is there only for the projects that may use it', async (t, store) => {
  await make(store, 't1', { name: 'secret', isPublic: false });
  const access = (projectId: string) => ({ volumeTypeId: 't1', projectId });
  const grant = (projectId: string) =>
    store.apply([demandPrivateVolumeType('t1'), insertVolumeTypeAccess(access(projectId))]);
  for (const project of ['p3', 'p1', 'p2']) await grant(project);
  t.deepEqual(await listVolumeTypeAccess(store, { volumeTypeId: 't1', limit: 2 }), ['p1', 'p2']);
  t.deepEqual(await listVolumeTypeAccess(store, { volumeTypeId: 't1', limit: 2, after: 'p2' }), ['p3']);
  t.is((await t.throwsAsync<UniqueViolation>(grant('p1'))).step, 1);
  await store.apply([deleteVolumeTypeAccess(access('p2'))]);
  await t.throwsAsync(store.apply([deleteVolumeTypeAccess(access('p2'))]), { instanceOf: RowCountMismatch });

  t.is((await findVolumeType(store, { idOrName: 'secret', projectId: 'p1' }))?.id, 't1');
  t.is(await findVolumeType(store, { idOrName: 'secret', projectId: 'p2' }), undefined);
  t.is((await findVolumeType(store, { idOrName: 'secret' }))?.id, 't1');
  await t.notThrowsAsync(store.apply([demandUsableVolumeType('t1', 'p1')]));
  await t.throwsAsync(store.apply([demandUsableVolumeType('t1', 'p2')]), { instanceOf: RowCountMismatch });
  await store.apply([updateVolumeType('t1', { isPublic: true })]);
  await t.throwsAsync(grant('p4'), { instanceOf: RowCountMismatch }, 'everybody may use a public type');
});

storesFor('types are listed by name, a page at a time, those that a project may use', async (t, store) => {
  for (const name of ['ab', 'Z', 'a', 'é']) await make(store, `id-${name}`, { name });
  await make(store, 'hidden', { isPublic: false });
  await make(store, 'mine', { isPublic: false });
  await store.apply([insertVolumeTypeAccess({ volumeTypeId: 'mine', projectId: 'p1' })]);
  const names = async (list: Partial<Parameters<typeof listVolumeTypes>[1]>) =>
    (await listVolumeTypes(store, { limit: 50, ...list })).map(({ name }) => name);
  t.deepEqual(await names({ projectId: 'p1' }), ['Z', '__DEFAULT__', 'a', 'ab', 'mine', 'é']);
  t.deepEqual(await names({ projectId: 'p2', after: '__DEFAULT__', limit: 2 }), ['a', 'ab']);
  t.deepEqual(await names({ isPublic: false }), ['hidden', 'mine']);
  t.deepEqual(await names({ isPublic: false, projectId: 'p1' }), ['mine']);
  t.deepEqual(await names({ isPublic: true, after: 'ab' }), ['é']);
});

storesFor("a project's default goes before the configured one, and neither is an error", async (t, store) => {
  const ask = (configuredName: string) => defaultVolumeType(store, { projectId: 'p1', configuredName });
  await make(store, 't1', { name: 'own' });
  t.is((await ask('__DEFAULT__')).name, '__DEFAULT__');
  await t.throwsAsync(ask('missing'), { name: 'VolumeTypeDefaultMisconfigured' });
  await store.apply([putDefaultVolumeType('p1', DEFAULT_VOLUME_TYPE_ID)]);
  await store.apply([putDefaultVolumeType('p1', 't1')]);
  t.is((await ask('__DEFAULT__')).name, 'own');
  for (let times = 0; times < 2; times++) await store.apply([deleteDefaultVolumeType('p1')]);
  t.is((await ask('__DEFAULT__')).name, '__DEFAULT__');
});

storesFor('a change of a type changes what it names and nothing else', async (t, store) => {
  await make(store, 't1', { name: 'old', description: 'words', extraSpecs: new Map([['a', '1']]) });
  const before = await findVolumeType(store, { idOrName: 't1' });
  await store.apply([updateVolumeType('t1', { name: 'new' })]);
  const renamed = await findVolumeType(store, { idOrName: 'new' });
  t.deepEqual({ ...renamed, name: 'old', updatedAt: 0 }, { ...before, updatedAt: 0 });
  await store.apply([updateVolumeType('t1', { description: null, isPublic: false })]);
  t.like(await findVolumeType(store, { idOrName: 't1' }), { name: 'new', description: null, isPublic: false });
  await t.throwsAsync(store.apply([updateVolumeType('t1', { name: '__DEFAULT__' })]), { instanceOf: UniqueViolation });
  await t.throwsAsync(store.apply([updateVolumeType('none', {})]), { instanceOf: RowCountMismatch });
});

storesFor('a deleted type is gone with all that is its own; its name is known, and free again', async (t, store) => {
  await make(store, 't1', { name: 'gone', isPublic: false, extraSpecs: new Map([['a', '1']]) });
  await store.apply([insertVolumeTypeAccess({ volumeTypeId: 't1', projectId: 'p1' })]);
  await store.apply([upsertLimit('p1', 'volumes_t1', 3), upsertLimit('p1', 'volumes', 4)]);
  await t.throwsAsync(make(store, 't2', { name: 'gone' }), { instanceOf: UniqueViolation });

  await store.apply(deleteVolumeType('t1', { ...CONFIGURED, limitKeys: ['volumes_t1', 'gigabytes_t1'] }));
  await make(store, 't2', { name: 'gone' });

  t.is((await findVolumeType(store, { idOrName: 'gone' }))?.id, 't2');
  t.is(await whyTypeStays(store, { id: 't1', configuredName: 'x' }), undefined);
  t.deepEqual(await listVolumeTypeAccess(store, { volumeTypeId: 't1', limit: 9 }), []);
  t.deepEqual((await findLimits(store, 'p1')).project, [{ resource: 'volumes', hardLimit: 4 }]);
  await t.throwsAsync(store.apply([demandVolumeType('t1')]), { instanceOf: RowCountMismatch });
  const names = await volumeTypeNames(store, ['t1', 't2', 'none']);
  t.deepEqual([...names].sort(), [
    ['t1', 'gone'],
    ['t2', 'gone'],
  ]);
});

storesFor('a type stays while it has a volume, is a default, or is the last', async (t, store) => {
  await make(store, 't1');
  const stays = async (id: string, configuredName: string) => {
    const missed = await t.throwsAsync<RowCountMismatch>(
      store.apply(deleteVolumeType(id, { ...CONFIGURED, configuredName })),
    );
    t.is(missed.step, 1);
    return whyTypeStays(store, { id, configuredName });
  };
  const nothing = { isDefault: false, isLast: false, isUsed: false };
  t.deepEqual(await stays('t1', 't1'), { ...nothing, isDefault: true });
  await store.apply([putDefaultVolumeType('p1', 't1')]);
  t.deepEqual(await stays('t1', '__DEFAULT__'), { ...nothing, isDefault: true });
  await store.apply([deleteDefaultVolumeType('p1')]);
  await recorded(store, { volumeTypeId: 't1' });
  t.deepEqual(await stays('t1', '__DEFAULT__'), { ...nothing, isUsed: true });
  await store.apply(deleteVolumeType(DEFAULT_VOLUME_TYPE_ID, { ...CONFIGURED, configuredName: 'x' }));
  t.deepEqual(await stays('t1', 'x'), { isDefault: false, isLast: true, isUsed: true });
});

storesFor('of the last two types only one can be deleted, even at the same time', async (t, store) => {
  for (let round = 0; round < 10; round++) {
    const [a, b] = [`a${round}`, `b${round}`];
    await make(store, a);
    await make(store, b);
    // whoever else is there: the survivor of the round before
    const others = (await listVolumeTypes(store, { limit: 9 })).filter(({ id }) => id !== a && id !== b);
    for (const { id } of others) await store.apply(deleteVolumeType(id, { ...CONFIGURED, configuredName: 'x' }));
    const ends = await Promise.allSettled(
      [a, b].map((id) => store.apply(deleteVolumeType(id, { ...CONFIGURED, configuredName: 'x' }))),
    );
    t.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    t.is((await listVolumeTypes(store, { limit: 9 })).length, 1);
  }
});
