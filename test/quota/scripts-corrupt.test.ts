import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { corruptionIn, keysOf } from '#src/quota/scripts.js';
import { shortId } from '#src/quota/short-id.js';
import { engineOf, projectWith, soon } from '../support/quota.js';
import { eventually, recordingLog, redisFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const TEXT = 'g5v1';
const DELTAS = { volumes: 1, gigabytes: 5 };

/** A project with something in use, reserved, on hold and committed, and what to ask of it. */
async function project(t: ExecutionContext) {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const { quota, redis, scripts } = engine;
  const { client } = redis;
  const fill = async (isDue: boolean) => {
    const projectId = await projectWith(engine.store, { volumes: -1, gigabytes: -1 });
    const keys = keysOf(projectId);
    const reserve = async (ttlMs = 60_000) => {
      const ref = { id: randomUUID(), projectId, deltas: DELTAS };
      await quota.reserve(projectId, DELTAS, { id: ref.id, deadline: soon(), ttlMs });
      return ref;
    };
    const [reserved, held, committed] = [await reserve(), await reserve(), await reserve()];
    await quota.hold(held, soon());
    await quota.commit(committed, soon());
    if (isDue) {
      const { id } = await reserve(60_000);
      await client.zadd(keys.deadlines, 1, shortId(id));
      await client.hset(keys.held, 'due', 1);
    }
    const args = { tombstones: keys.tombstones, keep: 60_000 };
    const asked = ['i:gigabytes', 'i:volumes', 5, 1, -1, -1];
    const about = (id: string) => ({ ...keys, tombstone: keys.tombstones + id });
    const calls: Record<string, (id: string) => Promise<{ said: unknown }>> = {
      reserve: (id) => redis.run(scripts.reserve, about(id), { ...args, id, ttl: 1_000, text: TEXT, asked }, soon()),
      commit: (id) => redis.run(scripts.commit, about(id), { ...args, id }, soon()),
      rollback: (id) => redis.run(scripts.rollback, about(id), { ...args, id }, soon()),
      revoke: (id) => redis.run(scripts.revoke, about(id), { ...args, id, text: TEXT }, soon()),
      hold: (id) => redis.run(scripts.hold, about(id), { ...args, id }, soon()),
      release: (id) => redis.run(scripts.release, about(id), { ...args, text: TEXT, until: 2e12 }, soon()),
      usage: () => redis.run(scripts.usage, keys, { ...args, fields: ['i:volumes'] }, soon()),
      list: () => redis.run(scripts.list, keys, { ...args, count: 10 }, soon()),
    };
    const ids = {
      ...{ new: shortId(randomUUID()), reserved: shortId(reserved.id) },
      ...{ held: shortId(held.id), committed: shortId(committed.id) },
    };
    const state = async () =>
      Promise.all((await client.keys(`{${projectId}}:*`)).sort().map((key) => client.dumpBuffer(key)));
    return { keys, calls, ids, state, about };
  };
  return { fill, client };
}

const SCRIPTS = ['reserve', 'commit', 'rollback', 'revoke', 'hold', 'release', 'usage', 'list'];
const STATES = ['new', 'reserved', 'held', 'committed'] as const;

type Filled = Awaited<ReturnType<Awaited<ReturnType<typeof project>>['fill']>>;

/** Which keys a script leaves alone when nothing is due: it answers then, as if they were sound. */
const UNUSED: Readonly<Record<string, readonly string[]>> = {
  'reserve of reserved': ['pinned', 'tombstone'],
  'reserve of held': ['deadlines'],
  'reserve of committed': ['deadlines'],
  ...Object.fromEntries(
    ['commit', 'rollback', 'revoke', 'hold'].flatMap((script) =>
      ['new', 'held', 'committed'].map((of) => [`${script} of ${of}`, ['deadlines']]),
    ),
  ),
  ...Object.fromEntries(STATES.map((of) => [`release of ${of}`, ['deadlines', 'pinned']])),
  ...Object.fromEntries(STATES.map((of) => [`usage of ${of}`, ['deadlines', 'tombstone']])),
  ...Object.fromEntries(STATES.map((of) => [`list of ${of}`, ['tombstone']])),
};

const WRONG: Readonly<Record<string, 'string' | 'hash'>> = {
  ...{ usage: 'string', held: 'string', deadlines: 'hash', pinned: 'string', tombstone: 'hash' },
};

for (const isDue of [false, true]) {
  for (const [wrong, kind] of Object.entries(WRONG)) {
    const title = `where ${wrong} is a ${kind}, every script fails before it writes anything`;
    test(isDue ? `${title}, also when something is due` : title, async (t) => {
      const { fill, client } = await project(t);
      for (const script of SCRIPTS) {
        for (const of of STATES) {
          const filled: Filled = await fill(isDue);
          const id = filled.ids[of];
          const key = Object.entries({ ...filled.about(id) }).find(([name]) => name === wrong)?.[1] ?? '';
          await client.del(key);
          await (kind === 'string' ? client.set(key, 'x') : client.hset(key, 'x', 'y'));
          const before = await filled.state();
          const outcome = await filled.calls[script]?.(id).then(
            ({ said }) => ({ said }),
            (error: unknown) => ({ corrupt: corruptionIn(error) }),
          );
          const what = `${script} of ${of}: ${JSON.stringify(outcome)}`;
          const isUnused = (UNUSED[`${script} of ${of}`] ?? []).includes(wrong);
          if (outcome && 'corrupt' in outcome) {
            t.regex(outcome.corrupt ?? '', /^WRONGTYPE/, what);
            t.deepEqual(await filled.state(), before, what);
            t.true(isDue || !isUnused, what);
          } else {
            // a script that is about no single id is not given its tombstone
            t.true(isUnused && (!isDue || ['usage', 'list'].includes(script)), what);
            t.is(await client.type(key), kind, what);
          }
        }
      }
    });
  }
}

const CONTENTS: readonly (readonly [what: string, key: 'usage' | 'held' | 'pinned', value: string])[] = [
  ['a sum in use is negative', 'usage', '-3'],
  ['a sum in use is no number', 'usage', 'many'],
  ['a sum reserved is no whole number', 'held', '0.5'],
  ['a sum reserved is infinite', 'held', 'inf'],
  ['a sum on hold is beyond all numbers', 'pinned', '1e300'],
  ['a sum on hold is negative', 'pinned', '-1'],
];

for (const [what, key, value] of CONTENTS) {
  test(`where ${what}, scripts that need it fail before they write anything`, async (t) => {
    const { fill, client } = await project(t);
    const { keys, calls, ids, state } = await fill(false);
    await client.hset(keys[key], 'i:volumes', value);
    const before = await state();
    const needing = { usage: ['commit', 'release'], held: ['commit', 'rollback', 'hold'], pinned: ['hold'] }[key];
    for (const script of [...needing, 'usage']) {
      const error = await t.throwsAsync(calls[script]?.(ids.reserved) ?? Promise.resolve());
      t.true(corruptionIn(error)?.startsWith(`CORRUPT ${keys[key]} `), `${script}: ${error.message}`);
    }
    const error = await t.throwsAsync(calls['reserve']?.(ids.new) ?? Promise.resolve());
    t.true(corruptionIn(error)?.startsWith(`CORRUPT ${keys[key]} `), error.message);
    t.deepEqual(await state(), before);
  });
}

for (const text of ['', '{', 'x5', 'g5v', 'g5 v', 'g-', 'g5-', '_1111', '|req-1']) {
  test(`amounts stored as "${text}" are of no script, and nothing is written`, async (t) => {
    const { fill, client } = await project(t);
    const { keys, calls, ids, state } = await fill(false);
    await client.hset(keys.held, ids.reserved, text);
    await client.hset(keys.pinned, ids.held, text);
    const before = await state();
    for (const [script, id] of [
      ...(['commit', 'rollback', 'revoke', 'hold'] as const).map((name) => [name, ids.reserved] as const),
      ...(['commit', 'revoke'] as const).map((name) => [name, ids.held] as const),
    ]) {
      const error = await t.throwsAsync(calls[script]?.(id) ?? Promise.resolve());
      t.regex(corruptionIn(error) ?? '', /^CORRUPT /, script);
    }
    t.deepEqual(await state(), before);
  });
}

test('a corrupt key raises an alarm and is made anew from the records', async (t) => {
  for (const [key, value] of [
    ['usage', 'x'],
    ['held', 'x'],
    ['pinned', 'x'],
    ['deadlines', 'x'],
  ] as const) {
    const log = recordingLog();
    const engine = engineOf(await redisFor(t), await sqliteStore(t), { log });
    const projectId = await projectWith(engine.store);
    const keys = keysOf(projectId);
    const reserve = (id: string) => engine.quota.reserve(projectId, { volumes: 1 }, { id, deadline: soon() });
    await reserve(randomUUID());
    await engine.redis.client.set(keys[key], value);
    t.is((await reserve(randomUUID())).answer, 'reserved');
    const usage = await engine.quota.usage(projectId, ['volumes'], soon());
    t.deepEqual(usage.get('volumes'), { inUse: 0, reserved: 1 }, 'what was reserved before is forgotten');
    const [line, ...others] = log.lines.filter(({ level }) => level === 'error');
    t.deepEqual(others, []);
    t.is(line?.fields?.projectId, projectId);
    t.regex(String(line?.fields?.['reason']), /^WRONGTYPE/);
  }
});

test('after a rebuild it does not matter of what kind the keys were', async (t) => {
  for (const key of ['usage', 'held', 'deadlines', 'pinned'] as const) {
    const engine = engineOf(await redisFor(t), await sqliteStore(t));
    const projectId = await projectWith(engine.store);
    await engine.quota.usage(projectId, ['volumes'], soon());
    const { client } = engine.redis;
    await client.del(keysOf(projectId)[key]);
    await client.sadd(keysOf(projectId)[key], 'x');
    await engine.rebuild.run(projectId, 'unknown', soon());
    await eventually(
      'usage answers',
      async () => (await engine.quota.usage(projectId, ['volumes'], soon())).size === 1,
    );
    t.is(await client.exists(keysOf(projectId).pinned), 0);
  }
});
