import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { upsertLimit } from '#src/db/quota-limits.js';
import { typeKey } from '#src/quota/resources.js';
import { keysOf } from '#src/quota/scripts.js';
import { shortId } from '#src/quota/short-id.js';
import { volumeAmounts } from '#src/quota/resources.js';
import { connectRedis } from '#src/redis/connect.js';
import { Creation, engineOf, projectWith, soon } from '../support/quota.js';
import { eventually, recordingLog, redisFor, redisServerFor, SILENT } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const AMOUNTS = { volumes: 1, gigabytes: 5 };

/** An engine, a project without limits that is rebuilt already, and ways to look at its keys. */
async function bench(t: ExecutionContext, options: { ttlMs?: number; log?: ReturnType<typeof recordingLog> } = {}) {
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { ...options, log: options.log ?? SILENT });
  const projectId = await projectWith(engine.store, { volumes: -1, gigabytes: -1 });
  const keys = keysOf(projectId);
  const { client } = engine.redis;
  const usage = async () => {
    const rows = await engine.quota.usage(projectId, ['volumes', 'gigabytes'], soon());
    return [...rows.values()].map(({ inUse, reserved }) => `${inUse}/${reserved}`).join(' ');
  };
  await usage();
  const reserve = async (id = randomUUID(), deltas: Record<string, number> = AMOUNTS, ttlMs = 60_000) => {
    await engine.quota.reserve(projectId, deltas, { id, deadline: soon(), ttlMs });
    return { id, projectId, deltas };
  };
  return { engine, projectId, keys, client, usage, reserve, quota: engine.quota };
}

test('reserve repeated changes nothing and answers the first deadline', async (t) => {
  const { quota, projectId, usage } = await bench(t);
  const id = randomUUID();
  const first = await quota.reserve(projectId, AMOUNTS, { id, deadline: soon(), ttlMs: 50_000 });
  const second = await quota.reserve(projectId, AMOUNTS, { id, deadline: soon(), ttlMs: 60_000 });
  t.is(first.answer, 'reserved');
  t.deepEqual(second, first);
  t.is(await usage(), '0/1 0/5');
});

test('reserve under a known id with other amounts is a mistake and changes nothing', async (t) => {
  const { quota, projectId, usage, reserve } = await bench(t);
  const { id } = await reserve();
  const again = quota.reserve(projectId, { volumes: 2 }, { id, deadline: soon() });
  await t.throwsAsync(again, { message: /reserved with other amounts/ });
  t.is(await usage(), '0/1 0/5');
});

test('reserve under the id of a settled reservation is a mistake, and after its expiry it says so', async (t) => {
  const { quota, projectId, reserve, usage } = await bench(t);
  const { id } = await reserve();
  await quota.commit({ id, projectId }, soon());
  await t.throwsAsync(quota.reserve(projectId, AMOUNTS, { id, deadline: soon() }), { message: /is committed/ });

  const expiring = await reserve(randomUUID(), AMOUNTS, 1);
  await eventually('expired', async () => (await usage()) === '1/0 5/0');
  const late = quota.reserve(projectId, AMOUNTS, { id: expiring.id, deadline: soon() });
  await t.throwsAsync(late, { name: 'QuotaReservationExpired' });
});

test('commit moves a reservation into use, once', async (t) => {
  const { quota, reserve, usage } = await bench(t);
  const reservation = await reserve();
  t.is(await quota.commit(reservation, soon()), 'committed');
  t.is(await quota.commit(reservation, soon()), 'committed');
  t.is(await usage(), '1/0 5/0');
});

test('rollback gives a reservation back, once, and does nothing after a commit', async (t) => {
  const { quota, reserve, usage } = await bench(t);
  const first = await reserve();
  await reserve();
  t.is(await quota.rollback(first, soon()), 'rolledback');
  t.is(await quota.rollback(first, soon()), 'rolledback');
  t.is(await usage(), '0/1 0/5');
  t.is(await quota.commit(first, soon()), 'rolledback');

  const committed = await reserve();
  await quota.commit(committed, soon());
  t.is(await quota.rollback(committed, soon()), 'committed');
  t.is(await usage(), '1/1 5/5');
});

test('revoke undoes a reservation before and after its commit, once', async (t) => {
  const { quota, reserve, usage } = await bench(t);
  const open = await reserve();
  t.is(await quota.revoke(open, soon()), 'rolledback');
  t.is(await quota.revoke(open, soon()), 'rolledback');
  const committed = await reserve();
  await reserve();
  await quota.commit(committed, soon());
  t.is(await quota.revoke(committed, soon()), 'revoked');
  t.is(await quota.revoke(committed, soon()), 'revoked');
  t.is(await quota.commit(committed, soon()), 'revoked');
  t.is(await usage(), '0/1 0/5');
});

test('release gives use back, once', async (t) => {
  const { quota, reserve, usage, projectId } = await bench(t);
  await quota.commit(await reserve(), soon());
  await quota.commit(await reserve(), soon());
  const release = { id: randomUUID(), projectId, deltas: AMOUNTS, until: Date.now() + 60_000 };
  t.is(await quota.release(release, soon()), 'released');
  t.is(await quota.release(release, soon()), 'released');
  t.is(await usage(), '1/0 5/0');
});

test('a release after its last moment is refused, and its tombstone outlives that moment', async (t) => {
  const { quota, reserve, usage, projectId, client, keys } = await bench(t);
  await quota.commit(await reserve(), soon());
  const release = { id: randomUUID(), projectId, deltas: AMOUNTS };
  t.is(await quota.release({ ...release, until: Date.now() }, soon()), 'late');
  t.is(await usage(), '1/0 5/0');
  const until = Date.now() + 30_000;
  await quota.release({ ...release, until }, soon());
  t.is(await client.pexpiretime(keys.tombstones + shortId(release.id)), until + 1_000);
});

test('a release of more than is in use sets the sums to 0 and raises an alarm', async (t) => {
  const log = recordingLog();
  const { quota, usage, projectId } = await bench(t, { log });
  const release = { id: randomUUID(), projectId, deltas: AMOUNTS, until: Date.now() + 60_000 };
  t.is(await quota.release(release, soon()), 'released');
  t.is(await usage(), '0/0 0/0');
  t.deepEqual(
    log.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields),
    [{ projectId, script: 'release.lua', clamped: 'gigabytes in use,volumes in use' }],
  );
});

test('a hold counts like a reservation, does not expire, and is committed or revoked like one', async (t) => {
  const { quota, reserve, usage, client, keys } = await bench(t);
  const [committed, revoked, plain] = [await reserve(), await reserve(), await reserve()];
  for (const hold of [committed, committed, revoked]) t.is(await quota.hold(hold, soon()), 'held');
  t.is(await usage(), '0/3 0/15');
  t.is(await client.pttl(keys.pinned), -1);
  t.is(await quota.rollback(committed, soon()), 'held');
  t.is(await quota.commit(committed, soon()), 'committed');
  t.is(await quota.hold(committed, soon()), 'committed');
  t.is(await quota.revoke(revoked, soon()), 'rolledback');
  t.is(await quota.hold(plain, soon()), 'held');
  t.is(await usage(), '1/1 5/5');
});

test('an id that was never reserved is unknown to every script', async (t) => {
  const { quota, projectId, usage } = await bench(t);
  const ref = { id: randomUUID(), projectId, deltas: AMOUNTS };
  for (const verb of ['commit', 'rollback', 'revoke', 'hold'] as const)
    t.is(await quota[verb](ref, soon()), 'unknown', verb);
  t.is(await usage(), '0/0 0/0');
});

test('a list shows holds first, then reservations by their deadline, and no expired ones', async (t) => {
  const { quota, projectId, reserve } = await bench(t);
  const late = await reserve(randomUUID(), { volumes: 1 }, 60_000);
  const early = await reserve(randomUUID(), { volumes: 2 }, 50_000);
  const hold = await reserve(randomUUID(), { volumes: 3 });
  await quota.hold(hold, soon());
  await reserve(randomUUID(), { volumes: 4 }, 1);
  await eventually('expired', async () => (await quota.list(projectId, 10, soon())).length === 3);

  const rows = await quota.list(projectId, 10, soon());
  t.deepEqual(
    rows.map(({ id, deltas }) => [id, deltas]),
    [hold, early, late].map(({ id, deltas }) => [id, [['volumes', deltas['volumes']]]]),
  );
  t.is(rows[0]?.expiresAt, 0);
  t.is((await quota.list(projectId, 1, soon())).length, 2);
});

test('a list says who made a reservation, also when it has become a hold', async (t) => {
  const { quota, projectId } = await bench(t);
  const note = `req-${randomUUID()}`;
  const options = { id: randomUUID(), deadline: soon(), note };
  await quota.reserve(projectId, AMOUNTS, options);
  const again = await quota.reserve(projectId, AMOUNTS, { ...options, note: 'somebody else' });
  t.is(again.answer, 'reserved', 'who asks is not what is asked for');
  t.deepEqual(
    (await quota.list(projectId, 10, soon())).map((row) => row.note),
    [note],
  );
  await quota.hold({ id: options.id, projectId }, soon());
  t.deepEqual(
    (await quota.list(projectId, 10, soon())).map((row) => row.note),
    [note],
  );
});

test('one resource that is over refuses all of them and names every one that is over', async (t) => {
  const { quota, engine, usage } = await bench(t);
  const type = randomUUID();
  const volumesOfType = typeKey('volumes', type);
  const projectId = await projectWith(engine.store, { volumes: 10, gigabytes: 10, [volumesOfType]: 0 });
  const deltas = { volumes: 1, gigabytes: 20, [volumesOfType]: 1, [typeKey('gigabytes', type)]: 20 };
  t.deepEqual(await quota.reserve(projectId, deltas, { id: randomUUID(), deadline: soon() }), {
    answer: 'over',
    over: [
      { resource: 'gigabytes', limit: 10, inUse: 0, reserved: 0, asked: 20 },
      { resource: volumesOfType, limit: 0, inUse: 0, reserved: 0, asked: 1 },
    ],
  });
  t.is(await usage(), '0/0 0/0');
  t.deepEqual(await quota.list(projectId, 10, soon()), []);
});

test('a request for nothing of a resource is over when the project already is', async (t) => {
  const { quota, engine } = await bench(t);
  const projectId = await projectWith(engine.store, { gigabytes: 1_000 });
  const reserve = (deltas: Record<string, number>) =>
    quota.reserve(projectId, deltas, { id: randomUUID(), deadline: soon() });
  t.is((await reserve({ gigabytes: 10 })).answer, 'reserved');
  t.is((await reserve({ gigabytes: 0 })).answer, 'reserved');

  await engine.store.apply([upsertLimit(projectId, 'gigabytes', 9)]);
  const zero = await reserve({ gigabytes: 0 });
  t.deepEqual(zero, { answer: 'over', over: [{ resource: 'gigabytes', limit: 9, inUse: 0, reserved: 10, asked: 0 }] });
});

test('holds count against the limit', async (t) => {
  const { quota, engine } = await bench(t);
  const projectId = await projectWith(engine.store, { volumes: 1 });
  const first = await quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon() });
  if (first.answer !== 'reserved') return t.fail();
  await quota.hold(first.reservation, soon());
  const second = await quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon() });
  t.is(second.answer, 'over');
});

test('an amount beyond what can be tracked overflows, whatever the limit', async (t) => {
  const { reserve, quota, projectId } = await bench(t);
  await reserve(randomUUID(), { gigabytes: 2_147_483_647 });
  const answer = await quota.reserve(projectId, { gigabytes: 1 }, { id: randomUUID(), deadline: soon() });
  const row = { resource: 'gigabytes', limit: -1, inUse: 0, reserved: 2_147_483_647, asked: 1 };
  t.deepEqual(answer, { answer: 'overflow', over: [row] });
});

test('amounts that no request may ask for never reach Redis', async (t) => {
  const { quota, projectId } = await bench(t);
  for (const deltas of [
    {},
    { volumes: 0.5 },
    { gigabytes: 2_147_483_648 },
    { gigabytes: -2_147_483_648 },
    { volumes: NaN },
  ]) {
    const reserve = quota.reserve(projectId, deltas, { id: randomUUID(), deadline: soon() });
    await t.throwsAsync(reserve, { name: 'InvalidInput' }, JSON.stringify(deltas));
  }
  const taking = { id: randomUUID(), projectId, deltas: { volumes: 1, gigabytes: -1 }, until: Date.now() + 60_000 };
  await t.throwsAsync(quota.release(taking, soon()), { name: 'InvalidInput' });
});

test('a negative amount is never over, waits for the commit, and comes back with a revoke', async (t) => {
  const { quota, engine } = await bench(t);
  const projectId = await projectWith(engine.store, { volumes: 1, gigabytes: 0 });
  const usage = async () => {
    const rows = await quota.usage(projectId, ['volumes', 'gigabytes'], soon());
    return [...rows.values()].map(({ inUse, reserved }) => `${inUse}/${reserved}`).join(' ');
  };
  const used = { id: randomUUID(), projectId, deltas: { gigabytes: 10 } };
  await engine.store.apply([upsertLimit(projectId, 'gigabytes', -1)]);
  await quota.reserve(projectId, used.deltas, { id: used.id, deadline: soon() });
  await quota.commit(used, soon());
  await engine.store.apply([upsertLimit(projectId, 'gigabytes', 0)]);

  const smaller = { id: randomUUID(), projectId, deltas: { volumes: 1, gigabytes: -4 } };
  const reserve = () => quota.reserve(projectId, smaller.deltas, { id: smaller.id, deadline: soon() });
  t.is((await reserve()).answer, 'reserved', 'over its limit, a project may still shrink');
  t.is((await reserve()).answer, 'reserved');
  t.is(await usage(), '0/1 10/0');
  t.is(await quota.hold(smaller, soon()), 'held');
  t.is(await usage(), '0/1 10/0');
  t.is(await quota.commit(smaller, soon()), 'committed');
  t.is(await quota.commit(smaller, soon()), 'committed');
  t.is(await usage(), '1/0 6/0');
  t.is(await quota.revoke(smaller, soon()), 'revoked');
  t.is(await quota.revoke(smaller, soon()), 'revoked');
  t.is(await usage(), '0/0 10/0');
});

for (const ending of ['rollback', 'revoke', 'expiry'] as const) {
  test(`a negative amount that is never committed leaves nothing behind after its ${ending}`, async (t) => {
    const { quota, reserve, usage } = await bench(t);
    await quota.commit(await reserve(), soon());
    const smaller = await reserve(randomUUID(), { volumes: 2, gigabytes: -3 }, ending === 'expiry' ? 1 : 60_000);
    if (ending !== 'expiry') t.is(await quota[ending](smaller, soon()), 'rolledback');
    await eventually('gone', async () => (await usage()) === '1/0 5/0');
    t.is(await quota.commit(smaller, soon()), ending === 'expiry' ? 'expired' : 'rolledback');
    t.is(await usage(), '1/0 5/0');
  });
}

test('a commit that takes more than is in use sets the sum to 0 and raises an alarm', async (t) => {
  const log = recordingLog();
  const { quota, usage, reserve, projectId } = await bench(t, { log });
  await quota.commit(await reserve(), soon());
  t.is(await quota.commit(await reserve(randomUUID(), { volumes: 1, gigabytes: -7 }), soon()), 'committed');
  t.is(await usage(), '2/0 0/0');
  t.deepEqual(
    log.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields),
    [{ projectId, script: 'commit.lua', clamped: 'gigabytes in use' }],
  );
});

test('an expired reservation gives its amounts to the very next reserver', async (t) => {
  const { quota, engine } = await bench(t);
  const projectId = await projectWith(engine.store, { volumes: 1 });
  await quota.usage(projectId, ['volumes'], soon());
  const first = { id: randomUUID(), projectId };
  const reserve = async (id: string, ttlMs: number) =>
    (await quota.reserve(projectId, { volumes: 1 }, { id, deadline: soon(), ttlMs })).answer;
  t.deepEqual(await Promise.all([reserve(first.id, 200), reserve(randomUUID(), 60_000)]), ['reserved', 'over']);
  await eventually('the next reserver gets it', async () => (await reserve(randomUUID(), 60_000)) === 'reserved');
  t.is(await quota.commit(first, soon()), 'expired');
  t.is(await quota.rollback(first, soon()), 'expired');
});

test('sums and deadlines vanish at the same instant, after the last deadline, and never earlier than before', async (t) => {
  const { quota, reserve, client, keys } = await bench(t, { ttlMs: 10_000 });
  const vanishing = async () => [await client.pexpiretime(keys.held), await client.pexpiretime(keys.deadlines)];
  const long = await reserve(randomUUID(), AMOUNTS, 9_000);
  const [held, deadlines] = await vanishing();
  const deadline = Number(await client.zscore(keys.deadlines, shortId(long.id)));
  t.true(Number(held) >= deadline + 20_000);
  t.is(deadlines, held);

  const short = await reserve(randomUUID(), AMOUNTS, 1_000);
  t.deepEqual(await vanishing(), [held, held]);
  await quota.rollback(long, soon());
  await quota.rollback(short, soon());
  t.is(await client.exists(keys.deadlines), 0);
  const last = await reserve(randomUUID(), AMOUNTS, 1_000);
  const [sums, renewed] = await vanishing();
  t.is(renewed, sums, 'a new set of deadlines vanishes with the sums it belongs to');
  t.true(Number(sums) >= Number(await client.zscore(keys.deadlines, shortId(last.id))) + 20_000);
});

test('a call gives back at most 200 due reservations, and callers see all of them given back', async (t) => {
  const { engine, usage, reserve, client, keys } = await bench(t);
  await Promise.all(Array.from({ length: 450 }, () => reserve(randomUUID(), { volumes: 1 }, 400)));
  await eventually('all are due', async () => (await client.zcount(keys.deadlines, '-inf', Date.now() - 5)) === 450);

  const { redis, scripts } = engine;
  const args = { tombstones: keys.tombstones, keep: 1_000, fields: ['i:volumes'] };
  const once = () => redis.run(scripts.usage, keys, args, soon());
  t.is((await once()).refusal, 'again');
  t.is(await client.zcard(keys.deadlines), 250);
  t.is(await client.hget(keys.held, 'i:volumes'), '250');
  t.is(await usage(), '0/0 0/0');
  t.is(await client.zcard(keys.deadlines), 0);
  t.is(await client.hlen(keys.held), 1, 'only the sum is left');
});

test('a creation asks Redis twice: to reserve, and to commit', async (t) => {
  const server = await redisServerFor(t);
  const calls: string[] = [];
  const redis = await connectRedis({ url: server.socket, log: SILENT, onCall: (script) => void calls.push(script) });
  t.teardown(() => redis.close());
  const engine = engineOf(redis, await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId).all();
  calls.length = 0;
  await new Creation(engine, projectId).all();
  t.deepEqual(calls, ['reserve.lua', 'commit.lua']);
});

test('a live reservation of a volume takes at most 300 bytes, and the word of a settled one 220', async (t) => {
  const COUNT = 2_000;
  const { engine, projectId, client, keys, quota } = await bench(t);
  const deltas = volumeAmounts({ sizeGib: 1_000, volumeTypeId: randomUUID() });
  const refs = Array.from({ length: COUNT }, () => ({ id: randomUUID(), projectId, deltas }));
  const note = `req-${randomUUID()}`;
  await Promise.all(refs.map(({ id }) => quota.reserve(projectId, deltas, { id, deadline: soon(), note })));
  const bytes = async (key: string) => (await client.memory('USAGE', key, 'SAMPLES', 0)) ?? Number.NaN;
  const live = ((await bytes(keys.held)) + (await bytes(keys.deadlines))) / COUNT;
  t.true(live <= 300, `${live} bytes`);
  const [first] = refs;
  if (!first) return t.fail();
  await quota.commit(first, soon());
  // its entry among the times to live, and its places in two tables that are half full
  const tables = 32 + 2 * 16;
  const word = (await bytes(keys.tombstones + shortId(first.id))) + tables;
  t.true(word <= 220, `${word} bytes`);
  t.is((await engine.quota.list(projectId, COUNT, soon())).length, COUNT - 1);
});

test('reservations of more resources than one command can name are given back at once', async (t) => {
  const { quota, projectId, client, keys } = await bench(t);
  const resources = Array.from({ length: 40 * 300 }, () => typeKey('volumes', randomUUID()));
  for (let from = 0; from < resources.length; from += 300) {
    const deltas = Object.fromEntries(resources.slice(from, from + 300).map((resource) => [resource, 1]));
    await quota.reserve(projectId, deltas, { id: randomUUID(), deadline: soon(), ttlMs: 60_000 });
  }
  const [first = ''] = resources;
  const reserved = async () => (await quota.usage(projectId, [first], soon())).get(first)?.reserved;
  t.is(await reserved(), 1);
  for (const id of await client.zrange(keys.deadlines, '0', '-1')) await client.zadd(keys.deadlines, 1, id);
  await client.hset(keys.held, 'due', '1');
  t.is(await reserved(), 0);
  t.is(await client.zcard(keys.deadlines), 0);
});
