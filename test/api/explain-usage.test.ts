import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { explainUsage } from '#src/api/handlers/explain-usage.js';
import { getQuotaSet } from '#src/api/handlers/get-quota-set.js';
import { pageTokens } from '#src/api/page-tokens.js';
import { insertHold, markHeld } from '#src/db/quota-settlements.js';
import type { Store } from '#src/db/store.js';
import { tokensWith } from '#src/events/tokens.js';
import { type UsageItem, UsageItemKind } from '#src/gen/cinder/api/v3/quotas.js';
import { keysOf } from '#src/quota/scripts.js';
import { CONTEXT } from '../casts/rows.js';
import { Creation, type Engine, engineOf, projectWith, soon } from '../support/quota.js';
import { backup, group, record, snapshot, volume } from '../support/quota-records.js';
import { redisFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

storesFor('what makes up a usage adds up to it, page by page, and says who, what and until when', async (t, store) => {
  const { engine, projectId, pagesOf, usage } = await explainOf(t, store);
  const volumeId = await record(store, volume({ projectId, sizeGib: 10 }));
  await record(store, volume({ projectId, sizeGib: 99, useQuota: false }));
  await record(store, snapshot({ projectId, volumeId, sizeGib: 10 }));
  await record(store, backup({ projectId, sizeGib: 4 }));
  await record(store, group({ projectId }));
  const [reserved, recorded, committed, deleted] = await underWay(engine, projectId);
  const hold = { ...new Creation(engine, projectId).charge, id: randomUUID(), resourceId: volumeId };
  await engine.quota.reserve(projectId, { gigabytes: 7 }, { id: hold.id, deadline: soon(), note: 'req-extend' });
  await store.apply([insertHold({ ...hold, deltas: { gigabytes: 7 } })]);
  await engine.settlements.hold(hold, soon());
  await store.apply([markHeld(hold.id)]);

  const items = await pagesOf(3);
  t.deepEqual(await pagesOf(1_000), items, 'however large the pages are');
  t.deepEqual(sumsOf(items), await usage());

  const byId = new Map(items.map((item) => [item.id, item]));
  t.like(byId.get(reserved.reservationId), {
    ...{ kind: UsageItemKind.RESERVATION, state: 'reserved', resourceId: '', requestId: 'req-of-a-test' },
    expiresAt: new Date(reserved.reservation?.expiresAt ?? 0),
  });
  t.like(byId.get(recorded.reservationId), {
    ...{ kind: UsageItemKind.CHARGE, state: 'reserved', resourceType: 'volume', resourceId: recorded.volumeId },
  });
  t.like(byId.get(committed.reservationId), { kind: UsageItemKind.CHARGE, state: 'committed', expiresAt: undefined });
  t.like(byId.get(hold.id), {
    ...{ kind: UsageItemKind.HOLD, state: 'held', resourceId: volumeId, requestId: 'req-extend' },
    expiresAt: undefined,
  });
  t.is(byId.get(hold.id)?.reserved.get('gigabytes'), 7);
  t.like(byId.get(volumeId), { kind: UsageItemKind.RECORD, resourceType: 'volume', state: 'creating' });
  const release = items.find(({ kind }) => kind === UsageItemKind.RELEASE);
  t.is(release?.resourceId, deleted.volumeId);
  t.is(release?.inUse.get('volumes___DEFAULT__'), 1);
  t.deepEqual(
    items.filter(({ kind }) => kind === UsageItemKind.RECORD).map(({ resourceType }) => resourceType),
    ['volume', 'volume', 'volume', 'snapshot', 'backup', 'group'],
  );
});

test('pages end where their section ends, and none is empty', async (t) => {
  const { store, projectId, explain } = await explainOf(t, await sqliteStore(t));
  await record(store, group({ projectId }));
  await record(store, volume({ projectId }));
  const first = await explain({ pageSize: 1 });
  const second = await explain({ pageSize: 1, pageToken: first.nextPageToken });
  t.deepEqual(
    [first, second].map(({ items, nextPageToken }) => [items[0]?.resourceType, nextPageToken !== '']),
    [
      ['volume', true],
      ['group', false],
    ],
  );
  t.deepEqual([first.usage.size > 0, second.usage.size], [true, 0]);
});

test('a usage that nobody has asked for yet, that was lost or that is broken is counted first', async (t) => {
  const { engine, store, projectId, explain } = await explainOf(t, await sqliteStore(t));
  await record(store, backup({ projectId, sizeGib: 4 }));
  const { usage, pinned } = keysOf(projectId);
  const expected = { limit: 1_000, inUse: 4, reserved: 0 };
  t.deepEqual((await explain({})).usage.get('backup_gigabytes'), expected);
  await engine.redis.client.del(usage);
  t.deepEqual((await explain({})).usage.get('backup_gigabytes'), expected);
  await engine.redis.client.set(pinned, 'x');
  t.deepEqual((await explain({})).usage.get('backup_gigabytes'), expected);
});

test('where somebody changed Redis by hand the usage is what Redis says, and the items show that it is not so', async (t) => {
  const { engine, projectId, explain } = await explainOf(t, await sqliteStore(t));
  await new Creation(engine, projectId, 1).all();
  await engine.redis.client.hincrby(keysOf(projectId).usage, 'i:volumes', 5);
  const { usage, items } = await explain({});
  t.is(usage.get('volumes')?.inUse, 6);
  t.is(sumsOf(items)['volumes'], '1/0');
});

test('another project’s usage is explained to who sees everything; bad words are refused', async (t) => {
  const { projectId, explain } = await explainOf(t, await sqliteStore(t));
  const foreign = explain({ projectId }, { projectId: 'another', roles: ['member'] });
  await t.throwsAsync(foreign, { name: 'PolicyNotAuthorized' });
  await t.notThrowsAsync(explain({ projectId }, { projectId: 'another', roles: ['admin'] }));
  await t.throwsAsync(explain({ pageSize: -1 }), { message: /page_size/ });
  await t.throwsAsync(explain({ pageToken: 'guessed' }), { message: /page_token/ });
});

/** A creation in each of its states: reserved, recorded, committed; and one deleted whose amounts are not given back yet. */
async function underWay(engine: Engine, projectId: string): Promise<[Creation, Creation, Creation, Creation]> {
  const [reserved, recorded, committed, deleted] = [2, 3, 5, 8].map(
    (size) => new Creation(engine, projectId, size),
  ) as [Creation, Creation, Creation, Creation];
  await reserved.reserve();
  await recorded.reserve();
  await recorded.tx1();
  await committed.reserve();
  await committed.tx1();
  await committed.commit();
  await deleted.all();
  await deleted.destroy();
  return [reserved, recorded, committed, deleted];
}

/** `in use/reserved` by resource, of those that have any. */
function sumsOf(items: readonly UsageItem[]): Readonly<Record<string, string>> {
  const sums = new Map<string, [number, number]>();
  const add = (amounts: ReadonlyMap<string, number>, column: 0 | 1) => {
    for (const [resource, amount] of amounts) {
      const sum = sums.get(resource) ?? [0, 0];
      sum[column] += amount;
      sums.set(resource, sum);
    }
  };
  for (const { inUse, reserved } of items) {
    add(inUse, 0);
    add(reserved, 1);
  }
  const rows = [...sums].filter(([, [inUse, reserved]]) => inUse + reserved !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(rows.map(([resource, [inUse, reserved]]) => [resource, `${inUse}/${reserved}`]));
}

async function explainOf(t: ExecutionContext, store: Store) {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const parts = {
    ...engine,
    pages: pageTokens(tokensWith(Buffer.alloc(32, 1))),
    sums: { countSnapshotGib: true },
  };
  const callOf = (who: Partial<typeof CONTEXT>) => ({
    context: { ...CONTEXT, projectId, roles: ['member'], ...who },
    deadline: Date.now() + 10_000,
    signal: new AbortController().signal,
  });
  const explain = (own: Partial<{ projectId: string; pageSize: number; pageToken: string }>, who = {}) =>
    explainUsage(parts)({ projectId: '', pageSize: 0, pageToken: '', ...own }, callOf(who));
  return {
    ...{ engine, store, projectId, explain },
    pagesOf: async (pageSize: number): Promise<readonly UsageItem[]> => {
      const items: UsageItem[] = [];
      let pageToken = '';
      do {
        const page = await explain({ pageSize, pageToken });
        items.push(...page.items);
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      return items;
    },
    /** As users see it elsewhere. */
    usage: async (): Promise<Readonly<Record<string, string>>> => {
      const { quotaSet } = await getQuotaSet(parts)({ projectId: '', usage: true }, callOf({}));
      const rows = [...(quotaSet?.usage ?? [])]
        .filter(([, { inUse, reserved }]) => inUse + reserved !== 0)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      return Object.fromEntries(rows.map(([resource, { inUse, reserved }]) => [resource, `${inUse}/${reserved}`]));
    },
  };
}
