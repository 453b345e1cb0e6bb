import { randomUUID } from 'node:crypto';
import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import type { Store } from '#src/db/store.js';
import { PER_TYPE, typeKey } from '#src/quota/resources.js';
import { loadQuotaScripts } from '#src/quota/scripts.js';
import { deadlineIn } from '#src/time/deadline.js';
import { Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { volume } from '../support/quota-records.js';
import { connect, eventually, newProject, recordingLog, redisFor, redisServerFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

storesFor('64 clients at once never pass the limit, and use all of it', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(engine.store, { volumes: 40, gigabytes: -1 });
  let highest = 0;
  const watch = async () => {
    const usage = (await engine.quota.usage(projectId, ['volumes'], soon())).get('volumes');
    highest = Math.max(highest, (usage?.inUse ?? 0) + (usage?.reserved ?? 0));
  };
  const client = async (i: number) => {
    const creation = new Creation(engine, projectId);
    if ((await creation.reserve()) !== 'reserved') return 'over';
    await watch();
    if (i % 4 === 0) return engine.quota.rollback(creation.charge, soon());
    await creation.tx1();
    const decision = await creation.commit();
    await creation.tx2();
    return decision;
  };
  const answers = (await Promise.all(Array.from({ length: 64 }, (_, i) => client(i)))).concat(
    await Promise.all(Array.from({ length: 64 }, (_, i) => client(4 * i + 1))),
  );
  t.is(answers.filter((answer) => answer === 'committed').length, 40);
  t.is(highest, 40);
  t.is(await figures(engine, projectId), '40/0 40/0 40/0 40/0');
});

storesFor(
  'a project that Redis does not know is counted from the records before its first decision',
  async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const projectId = await projectWith(engine.store, { volumes: 3, gigabytes: 30 });
    await new Creation(engine, projectId, 10).all();
    await new Creation(engine, projectId, 15).all();
    await engine.redis.client.del(...(await engine.redis.client.keys(`{${projectId}}:*`)));

    t.is(await new Creation(engine, projectId, 6).reserve(), 'over');
    t.is(await figures(engine, projectId), '2/0 25/0 2/0 25/0');
  },
);

for (const [what, lose] of [
  ['is emptied', 'FLUSHALL'],
  ['forgets its scripts', 'SCRIPT FLUSH'],
  ['restarts without its data', 'FLUSHALL SHUTDOWN'],
  ['restarts with its data', 'SHUTDOWN'],
] as const) {
  test(`when Redis ${what}, usage is right at the next question`, async (t) => {
    const server = await redisServerFor(t);
    const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
    const projectId = await projectWith(engine.store);
    await new Creation(engine, projectId, 10).all();
    const { client } = engine.redis;
    if (lose.includes('FLUSHALL')) await client.flushall();
    if (lose.includes('SCRIPT')) await client.script('FLUSH');
    if (lose.includes('SHUTDOWN')) await client.call('SHUTDOWN').catch(() => undefined);
    t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
    await new Creation(engine, projectId, 5).all();
    t.is(await figures(engine, projectId), '2/0 15/0 2/0 15/0');
  });
}

test('usage of another incarnation is not believed, though its keys are all there', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  const { client } = engine.redis;
  await client.hset(`{${projectId}}:u`, 'i:volumes', 7);
  t.is(await figures(engine, projectId), '7/0 10/0 1/0 10/0', 'within one incarnation the cache is believed');
  await client.call('SHUTDOWN').catch(() => undefined);
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
});

test('a project of thousands of volume types is counted, and shown whole', async (t) => {
  const store = await sqliteStore(t);
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const types = Array.from({ length: 3_000 }, () => randomUUID());
  const some = types.slice(0, 200);
  await store.apply(some.flatMap((volumeTypeId) => volume({ projectId, sizeGib: 2, volumeTypeId }).steps));
  const keys = types.flatMap((type) => PER_TYPE.map((resource) => typeKey(resource, type)));
  const usage = await engine.quota.usage(projectId, ['volumes', ...keys], soon());
  t.is(usage.size, 9_001);
  t.is(usage.get('volumes')?.inUse, 200);
  t.true(types.every((type, i) => usage.get(typeKey('gigabytes', type))?.inUse === (i < some.length ? 2 : 0)));
});

test('a project is rebuilt once for all who wait for it', async (t) => {
  const log = recordingLog();
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { log });
  const other = engineOf(await redisFor(t), engine.store, { log });
  const projectId = await projectWith(engine.store);
  await Promise.all(Array.from({ length: 40 }, (_, i) => figures(i % 2 ? engine : other, projectId)));
  t.is(log.lines.filter(({ message }) => message === 'quota rebuilt from the records').length, 1);
});

test('the lease of a rebuilder that died runs out, and the next caller rebuilds', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { leaseMs: 300 });
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  const { redis, scripts } = engine;
  const usage = `{${projectId}}:u`;
  const died = { owner: randomUUID(), lease: 300, force: 1 };
  t.deepEqual(await redis.run(scripts.rebuildBegin, { usage }, died, soon()), { answer: 'begun' });
  t.is((await redis.run(scripts.rebuildBegin, { usage }, { ...died, owner: randomUUID() }, soon())).answer, 'busy');
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
});

test('a rebuilder whose lease has passed to another changes nothing', async (t) => {
  const { redis, scripts, quota } = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = newProject();
  await quota.usage(projectId, ['volumes'], soon());
  const keys = {
    usage: `{${projectId}}:u`,
    held: `{${projectId}}:h`,
    deadlines: `{${projectId}}:d`,
    pinned: `{${projectId}}:p`,
  };
  const begin = (owner: string, lease: number) =>
    redis.run(scripts.rebuildBegin, keys, { owner, lease, force: 1 }, soon());
  const common = { tombstones: `{${projectId}}:t:`, keep: 1_000, holds: '[]', settled: '[]' };
  const end = (owner: string, volumes: number) =>
    redis.run(scripts.rebuildEnd, keys, { ...common, owner, sums: JSON.stringify([['volumes', volumes]]) }, soon());

  await begin('slow', 1);
  await eventually('the lease is free', async () => (await begin('fast', 60_000)).answer === 'begun');
  t.is(await end('slow', 1), 'lost');
  t.is(await end('fast', 2), 'done');
  t.is(await end('fast', 3), 'lost');
  t.is((await quota.usage(projectId, ['volumes'], soon())).get('volumes')?.inUse, 2);
});

test('without the database a project that must be rebuilt waits, and others go on', async (t) => {
  const store = await sqliteStore(t);
  let isDown = false;
  const down = new Fault('DatabaseUnavailable', { reason: 'down' });
  const failing: Store = {
    dialect: store.dialect,
    apply: async (unit) => (isDown ? Promise.reject(down) : store.apply(unit)),
    read: (statement) => store.read(statement),
    close: () => store.close(),
  };
  const engine = engineOf(await redisFor(t), failing, { leaseMs: 100 });
  const [known, unknown] = [await projectWith(store), await projectWith(store)];
  t.is(await new Creation(engine, known).reserve(), 'reserved');
  isDown = true;
  t.is(await new Creation(engine, known).reserve(), 'reserved');
  await t.throwsAsync(new Creation(engine, unknown).reserve(), { name: 'DatabaseUnavailable' });
  isDown = false;
  t.is(await new Creation(engine, unknown).reserve(), 'reserved');
});

test('without Redis a reservation is refused by its deadline, and nothing is reserved', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await server.stop();
  const reserve = engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: deadlineIn(100) });
  await t.throwsAsync(reserve, { name: 'QuotaUnavailable' });
});

test('a full Redis refuses to reserve without losing what is there, and goes on when there is room', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  const { client } = engine.redis;
  await client.config('SET', 'maxmemory', '1');
  const refused = engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: deadlineIn(100) });
  await t.throwsAsync(refused, { name: 'QuotaUnavailable' });
  await client.config('SET', 'maxmemory', '0');
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
});

test('every quota script agrees with its caller', (t) => {
  t.deepEqual(
    Object.values(loadQuotaScripts())
      .map(({ name }) => name)
      .sort(),
    [
      ...['audit_begin.lua', 'audit_end.lua', 'audit_read.lua'],
      ...['commit.lua', 'hold.lua', 'list.lua', 'rebuild_begin.lua', 'rebuild_end.lua', 'release.lua'],
      ...['reserve.lua', 'revoke.lua', 'rollback.lua', 'usage.lua'],
    ],
  );
});
