import test, { type ExecutionContext } from 'ava';
import { deleteQuotaSet } from '#src/api/handlers/delete-quota-set.js';
import { getDefaultQuotaSet } from '#src/api/handlers/get-default-quota-set.js';
import { getQuotaClassSet } from '#src/api/handlers/get-quota-class-set.js';
import { getQuotaSet } from '#src/api/handlers/get-quota-set.js';
import { updateQuotaClassSet } from '#src/api/handlers/update-quota-class-set.js';
import { updateQuotaSet } from '#src/api/handlers/update-quota-set.js';
import type { RequestContext } from '#src/objects/request-context.js';
import { DEFAULT_LIMITS, Limits, type LimitsOptions } from '#src/quota/limits.js';
import { CONTEXT } from '../casts/rows.js';
import { Creation, engineOf, projectWith } from '../support/quota.js';
import { redisFor } from '../support/redis.js';
import { postgresStore, postgresTest, sqliteStore, storesFor } from '../support/sql.js';
import type { Store } from '#src/db/store.js';

storesFor('a project sees its limits, and what it uses of them, in all and of each type', async (t, store) => {
  const { get, engine, projectId } = await quotaOf(t, store, { gigabytes: 100 });
  await new Creation(engine, projectId, 7).all();
  const pending = new Creation(engine, projectId, 2);
  await pending.reserve();

  const quotaSet = await get({ usage: true });

  t.is(quotaSet?.projectId, projectId);
  t.deepEqual(quotaSet?.usage.get('gigabytes'), { limit: 100, inUse: 7, reserved: 2 });
  t.deepEqual(quotaSet?.usage.get('volumes'), { limit: 10, inUse: 1, reserved: 1 });
  t.deepEqual(quotaSet?.usage.get('gigabytes___DEFAULT__'), { limit: -1, inUse: 7, reserved: 2 });
  t.deepEqual(quotaSet?.usage.get('snapshots'), { limit: 10, inUse: 0, reserved: 0 });
  t.is(quotaSet?.usage.has('per_volume_gigabytes'), false, 'a limit of one request is not counted');
  t.is(quotaSet?.limits.get('per_volume_gigabytes'), -1);
});

test('limits without usage ask no Redis', async (t) => {
  const { get } = await quotaOf(t, await sqliteStore(t), { volumes: 3 });
  const quotaSet = await get({ usage: false });
  t.is(quotaSet?.limits.get('volumes'), 3);
  t.is(quotaSet?.usage.size, 0);
});

test('another project’s quota is for administrators, and its id must be one', async (t) => {
  const { get } = await quotaOf(t, await sqliteStore(t));
  await t.throwsAsync(get({ projectId: 'another' }), { name: 'PolicyNotAuthorized' });
  t.is((await get({ projectId: 'another' }, ['admin']))?.projectId, 'another');
  await t.throwsAsync(get({ projectId: 'a}b', usage: true }, ['admin']), {
    name: 'InvalidInput',
    message: /project_id/,
  });
});

storesFor('limits that are set count at once, for that project only; those not named stay', async (t, store) => {
  const { set, get, engine, projectId } = await quotaOf(t, store, { gigabytes: 50 });
  const quotaSet = await set({ volumes: 1, gigabytes___DEFAULT__: 5 });
  t.is(quotaSet?.limits.get('volumes'), 1);
  t.is(quotaSet?.limits.get('gigabytes'), 50);
  t.is(quotaSet?.limits.get('gigabytes___DEFAULT__'), 5);
  await new Creation(engine, projectId, 5).all();
  t.is(await new Creation(engine, projectId, 1).reserve(), 'over');
  t.is((await get({ projectId: 'another' }, ['admin']))?.limits.get('volumes'), 10);
  await set({ volumes: -1, gigabytes___DEFAULT__: -1 });
  t.is(await new Creation(engine, projectId, 1).reserve(), 'reserved');
});

/** Limits that cannot be set, and the fields that are named. */
const BAD: readonly (readonly [what: string, limits: Readonly<Record<string, number>>, names: RegExp])[] = [
  ['none', {}, /limits: must name at least one/],
  ['an unknown resource', { oranges: 1 }, /limits\["oranges"\]: is not a resource/],
  ['a poisonous resource', { constructor: 1 }, /limits\["constructor"\]: is not a resource/],
  ['less than no limit', { volumes: -2 }, /limits\["volumes"\]: must be -1/],
  ['less than is in use', { volumes: 5, gigabytes: 6 }, /limits\["gigabytes"\]: must be at least 7/],
];

for (const [what, limits, names] of BAD) {
  test(`of limits with ${what} none is set`, async (t) => {
    const { set, get, engine, projectId } = await quotaOf(t, await sqliteStore(t));
    await new Creation(engine, projectId, 7).all();
    await t.throwsAsync(set({ snapshots: 1, ...limits, ...(what === 'none' && { snapshots: undefined }) }), {
      name: 'InvalidInput',
      message: names,
    });
    t.is((await get({}))?.limits.get('snapshots'), 10);
  });
}

storesFor('limits that are deleted are the defaults again, and what is used stays', async (t, store) => {
  const { set, get, remove, engine, projectId } = await quotaOf(t, store);
  await set({ volumes: 1 });
  await new Creation(engine, projectId, 1).all();
  t.is(await new Creation(engine, projectId, 1).reserve(), 'over');
  await remove();
  await remove();
  t.deepEqual((await get({ usage: true }))?.usage.get('volumes'), { limit: 10, inUse: 1, reserved: 0 });
  t.is(await new Creation(engine, projectId, 1).reserve(), 'reserved');
});

storesFor('the class default is for every project without its own limits; others are nobody’s', async (t, store) => {
  const { set, get, defaults, classOf, setClass } = await quotaOf(t, store);
  await set({ gigabytes: 7 });
  const before = await classOf('gold');
  t.deepEqual(before?.limits, (await defaults())?.limits);
  await setClass('default', { volumes: 20, gigabytes: 30, snapshots___DEFAULT__: 3 });
  await setClass('gold', { volumes: 99 });

  const limits = (await get({}))?.limits;
  t.deepEqual(
    ['volumes', 'gigabytes', 'snapshots___DEFAULT__'].map((name) => limits?.get(name)),
    [20, 7, 3],
  );
  t.deepEqual([(await defaults())?.limits.get('volumes'), (await defaults())?.projectId], [20, '']);
  const gold = await classOf('gold');
  t.is(gold?.className, 'gold');
  t.deepEqual(
    ['volumes', 'gigabytes', 'backups'].map((name) => gold?.limits.get(name)),
    [99, 30, 10],
  );
});

postgresTest('limits that come in any order, many at once, do not wait for one another', async (t) => {
  const { set, setClass } = await quotaOf(t, await postgresStore(t));
  const wanted = Object.entries({ volumes: 11, gigabytes: 12, snapshots: 13, backups: 14, groups: 15 });
  const orders = [Object.fromEntries(wanted), Object.fromEntries(wanted.toReversed())];
  const some = Array.from({ length: 20 }, () => orders).flat();
  await t.notThrowsAsync(Promise.all(some.map((limits) => set(limits))));
  await t.notThrowsAsync(Promise.all(some.map((limits) => setClass('gold', limits))));
});

test('without the class default the options are the defaults, but a class still rests on it', async (t) => {
  const { defaults, classOf, setClass } = await quotaOf(t, await sqliteStore(t), {}, { useDefaultQuotaClass: false });
  await setClass('default', { volumes: 20 });
  t.is((await defaults())?.limits.get('volumes'), 10);
  t.is((await classOf('gold'))?.limits.get('volumes'), 20);
});

test('bad limits of a class are all named, with its name, and none is set', async (t) => {
  const { classOf, setClass } = await quotaOf(t, await sqliteStore(t));
  const error = await t.throwsAsync(setClass('', { volumes: 1, oranges: 2, gigabytes: -2 }), { name: 'InvalidInput' });
  for (const field of ['class_name', 'limits["oranges"]', 'limits["gigabytes"]']) t.true(error.message.includes(field));
  await t.throwsAsync(setClass('gold', {}), { message: /limits: must name at least one/ });
  t.is((await classOf('default'))?.limits.get('volumes'), 10);
});

/** The handlers, for one project. */
async function quotaOf(
  t: ExecutionContext,
  store: Store,
  limits: Readonly<Record<string, number>> = {},
  options: Partial<LimitsOptions> = {},
) {
  const engine = {
    ...engineOf(await redisFor(t), store),
    limits: new Limits({ store, defaults: DEFAULT_LIMITS, ...options }),
  };
  const projectId = await projectWith(store, limits);
  const callOf = (roles: readonly string[]) => {
    const context: RequestContext = { ...CONTEXT, projectId, roles };
    return { context, deadline: Date.now() + 10_000, signal: new AbortController().signal };
  };
  return {
    engine,
    projectId,
    get: async (request: { readonly projectId?: string; readonly usage?: boolean }, roles = ['member']) =>
      (await getQuotaSet(engine)({ projectId: '', usage: false, ...request }, callOf(roles))).quotaSet,
    set: async (wanted: Readonly<Record<string, number | undefined>>) => {
      const named = Object.entries(wanted).filter((entry): entry is [string, number] => entry[1] !== undefined);
      return (
        await updateQuotaSet(engine)(
          { projectId, limits: new Map(named), idempotencyKey: undefined },
          callOf(['admin']),
        )
      ).quotaSet;
    },
    remove: () => deleteQuotaSet(engine)({ projectId, idempotencyKey: undefined }, callOf(['admin'])),
    defaults: async () => (await getDefaultQuotaSet(engine)({}, callOf(['member']))).quotaSet,
    classOf: async (className: string) =>
      (await getQuotaClassSet(engine)({ className }, callOf(['admin']))).quotaClassSet,
    setClass: async (className: string, wanted: Readonly<Record<string, number>>) => {
      const request = { className, limits: new Map(Object.entries(wanted)), idempotencyKey: undefined };
      return (await updateQuotaClassSet(engine)(request, callOf(['admin']))).quotaClassSet;
    },
  };
}
