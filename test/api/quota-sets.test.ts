import test, { type ExecutionContext } from 'ava';
import { getQuotaSet } from '#src/api/handlers/get-quota-set.js';
import { updateQuotaSet } from '#src/api/handlers/update-quota-set.js';
import type { RequestContext } from '#src/objects/request-context.js';
import { CONTEXT } from '../casts/rows.js';
import { Creation, engineOf, projectWith } from '../support/quota.js';
import { redisFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
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

/** The handlers, for one project. */
async function quotaOf(t: ExecutionContext, store: Store, limits: Readonly<Record<string, number>> = {}) {
  const engine = engineOf(await redisFor(t), store);
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
      return (await updateQuotaSet(engine)({ projectId, limits: new Map(named) }, callOf(['admin']))).quotaSet;
    },
  };
}
