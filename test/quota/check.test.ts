import { randomUUID } from 'node:crypto';
import test from 'ava';
import { findSettlement, insertHold, markFinal, markHeld, markUndo, markVoid } from '#src/db/quota-settlements.js';
import { Fault } from '#src/errors/fault.js';
import { audit } from '#src/quota/audit.js';
import { type Difference } from '#src/quota/differences.js';
import { keysOf } from '#src/quota/scripts.js';
import { shortId } from '#src/quota/short-id.js';
import { deadlineIn } from '#src/time/deadline.js';
import { CHARGED_VOLUMES, Creation, type Engine, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { connect, recordingLog, redisFor, redisServerFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

const look = ({ check }: Engine, projectId: string) => check.run(projectId, { by: 'request', mend: false }, soon());
const mend = ({ check }: Engine, projectId: string) => check.run(projectId, { by: 'request', mend: true }, soon());
const inWords = (found: readonly Difference[]): readonly string[] =>
  found.map(({ resource, figure, recorded, inRedis }) => `${resource} ${figure}: ${recorded}, not ${inRedis}`);

storesFor(
  'nothing is wrong after any step of a creation and a deletion, and looking changes nothing',
  async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const projectId = await projectWith(store);
    const creation = new Creation(engine, projectId, 10);
    const rightAfter = async (step: string, done: unknown) => {
      await done;
      const before = await dump(engine, projectId);
      t.deepEqual(await look(engine, projectId), [], step);
      t.deepEqual(await dump(engine, projectId), before, step);
    };
    await rightAfter('nothing', figures(engine, projectId));
    await rightAfter('reserve', creation.reserve());
    await rightAfter('tx1', creation.tx1());
    await rightAfter('commit', creation.commit());
    await rightAfter('tx2', creation.tx2());
    const release = await creation.destroy();
    await rightAfter('the deletion', undefined);
    await rightAfter('release', engine.quota.release({ ...release, until: Date.now() + 60_000 }, soon()));
    await rightAfter('the end', engine.settlements.settle(release, soon()));
    t.is(await figures(engine, projectId), '0/0 0/0 0/0 0/0');
  },
);

for (const [field, value] of [
  ['looked', ''],
  ['lease', `audit-${randomUUID()} `],
  ['lease', `${randomUUID()} `],
] as const) {
  const what = field === 'looked' ? 'a look' : `the lease of ${value.startsWith('audit-') ? 'a look' : 'a rebuild'}`;
  test(`after Redis's clock was set back, a project does not wait for ${what} from before`, async (t) => {
    const store = await sqliteStore(t);
    const engine = engineOf(await redisFor(t), store);
    const projectId = await projectWith(store);
    await new Creation(engine, projectId, 10).all();
    await engine.redis.client.hset(keysOf(projectId).usage, field, `${value}${Date.now() + 3_600_000}`);
    t.deepEqual(await look(engine, projectId), []);
    t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
  });
}

storesFor('nothing is wrong after any step of a creation that is undone', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  const creation = new Creation(engine, projectId, 10);
  await creation.reserve();
  await creation.tx1();
  await creation.commit();
  const row = { ...creation.charge, kind: 'charge', state: 'void', until: null, createdAt: 0 } as const;
  const steps = [
    () => store.apply([markVoid(creation.reservationId)]),
    () => engine.quota.revoke(creation.charge, soon()),
    () => store.apply([markUndo(creation.reservationId), ...CHARGED_VOLUMES.destroy(row)]),
    () => engine.settlements.undo(creation.charge, soon()),
  ];
  for (const [n, step] of steps.entries()) {
    await step();
    t.deepEqual(await look(engine, projectId), [], `step ${n}`);
  }

  // the record went first: what was committed is taken back last
  const late = new Creation(engine, projectId, 5);
  await late.reserve();
  await late.tx1();
  await late.commit();
  await store.apply([markUndo(late.reservationId), ...CHARGED_VOLUMES.destroy({ ...row, ...late.charge })]);
  t.deepEqual(await look(engine, projectId), []);
});

storesFor('nothing is wrong after any step of a hold', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store);
  await new Creation(engine, projectId, 10).all();
  const hold = { ...new Creation(engine, projectId).charge, id: randomUUID(), deltas: { groups: 2, backups: -3 } };
  const undone = { ...hold, id: randomUUID() };
  const begin = async (one: typeof hold) => {
    await engine.quota.reserve(projectId, one.deltas, { id: one.id, deadline: soon() });
    await store.apply([insertHold(one)]);
  };
  const steps = [
    () => begin(hold),
    () => engine.settlements.hold(hold, soon()),
    () => store.apply([markHeld(hold.id)]),
    () => begin(undone),
    () => engine.settlements.hold(undone, soon()),
    () => store.apply([markUndo(undone.id)]),
    () => engine.settlements.settle(undone, soon()),
  ];
  for (const [n, step] of steps.entries()) {
    await step();
    t.deepEqual(await look(engine, projectId), [], `step ${n}`);
  }
  // the records of this change do not follow it: nothing in the records is a group yet
  await store.apply([markFinal(hold.id)]);
  t.deepEqual(inWords(await look(engine, projectId)), ['backups in use: 3, not 0', 'groups in use: -2, not 0']);
});

storesFor(
  'what somebody changed by hand is found, resource by resource, and mended from the records',
  async (t, store) => {
    const log = recordingLog();
    const engine = engineOf(await redisFor(t), store, { log });
    const projectId = await projectWith(store);
    const { client } = engine.redis;
    const { usage, held, pinned } = keysOf(projectId);
    await new Creation(engine, projectId, 10).all();
    const pending = new Creation(engine, projectId, 2);
    await pending.reserve();
    await client.hincrby(usage, 'i:volumes', 5);
    await client.hincrby(usage, 'i:gigabytes', -3);
    await client.hincrby(held, 'i:snapshots', 1);
    await client.hincrby(pinned, 'i:volumes', 4);

    const found = await look(engine, projectId);
    t.deepEqual(inWords(found), [
      'gigabytes in use: 10, not 7',
      'snapshots reserved: 0, not 1',
      'volumes in use: 1, not 6',
      'volumes reserved: 1, not 5',
    ]);
    t.deepEqual(await look(engine, projectId), found, 'looking mends nothing');
    t.deepEqual(await mend(engine, projectId), found);
    t.deepEqual(await look(engine, projectId), []);
    t.deepEqual(await mend(engine, projectId), []);
    t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
    t.deepEqual(
      log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => [fields?.projectId, fields?.['count']]),
      [[projectId, 4]],
    );
  },
);

test('a hold that the records do not know of, and a reservation that never ends, count as nobody’s', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const { client } = engine.redis;
  const { deadlines } = keysOf(projectId);
  const [held, endless] = [randomUUID(), randomUUID()];
  for (const id of [held, endless]) await engine.quota.reserve(projectId, { volumes: 1 }, { id, deadline: soon() });
  await engine.quota.hold({ id: held, projectId }, soon());
  await client.zrem(deadlines, shortId(endless));
  t.deepEqual(inWords(await look(engine, projectId)), ['volumes reserved: 0, not 2']);
});

test('a hold that Redis has lost is missed', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const hold = { ...new Creation(engine, projectId).charge, id: randomUUID(), deltas: { gigabytes: 5 } };
  await engine.quota.reserve(projectId, hold.deltas, { id: hold.id, deadline: soon() });
  await engine.store.apply([insertHold(hold)]);
  await engine.settlements.hold(hold, soon());
  await engine.store.apply([markHeld(hold.id)]);
  await engine.redis.client.del(keysOf(projectId).pinned);
  t.deepEqual(inWords(await look(engine, projectId)), ['gigabytes reserved: 5, not 0']);
  await mend(engine, projectId);
  t.is(await figures(engine, projectId), '0/0 0/5 0/0 0/0');
});

const CORRUPTIONS: Readonly<Record<string, (keys: ReturnType<typeof keysOf>) => readonly string[]>> = {
  'an amount that is none': ({ usage }) => ['hset', usage, 'i:volumes', 'many'],
  'a sum that is negative': ({ held }) => ['hset', held, 'i:volumes', '-1'],
  'a reservation that nobody can read': ({ held }) => ['hset', held, randomUUID(), '?'],
  'a hold that nobody can read': ({ pinned }) => ['hset', pinned, randomUUID(), '[]]'],
  'holds of the wrong type': ({ pinned }) => ['set', pinned, 'x'],
  'deadlines of the wrong type': ({ deadlines }) => ['set', deadlines, 'x'],
};

for (const [what, command] of Object.entries(CORRUPTIONS)) {
  test(`${what} is found, and mended`, async (t) => {
    const engine = engineOf(await redisFor(t), await sqliteStore(t));
    const projectId = await projectWith(engine.store);
    await new Creation(engine, projectId, 10).all();
    const [name = '', key = '', ...values] = command(keysOf(projectId));
    await engine.redis.client.call(name, key, ...values);
    t.like(await look(engine, projectId), [{ figure: 'corrupt', resource: key }]);
    await mend(engine, projectId);
    t.deepEqual(await look(engine, projectId), []);
    t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
  });
}

test('what Redis has lost, or has never had, is not wrong: it is made anew before it is used', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const parts = { redis: engine.redis, scripts: engine.scripts, store: engine.store };
  t.deepEqual(await audit(parts, projectId, soon()), { state: 'unloaded' });
  await new Creation(engine, projectId, 10).all();
  t.like(await audit(parts, projectId, soon()), { state: 'read' });
  await engine.redis.client.flushall();
  t.deepEqual(await look(engine, projectId), []);
  t.is(await engine.redis.client.dbsize(), 0, 'and is not made anew for nothing');
});

test('thousands of reservations are read page by page, each once', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store, { volumes: -1 });
  const reserve = () => engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon() });
  for (let n = 0; n < 2_000; n += 100) await Promise.all(Array.from({ length: 100 }, reserve));
  const audited = await audit({ ...engine }, projectId, soon());
  t.is(audited.state === 'read' && audited.books.held.entries.length, 2_000);
  t.deepEqual(await look(engine, projectId), []);
});

test('a rebuild that must not wait takes the books away from one who looks, who begins again', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  const { usage, deadlines, held, tombstones } = keysOf(projectId);
  const { redis, scripts, rebuild } = engine;
  const mine = { owner: 'audit-of-somebody', lease: 5_000, rest: 0 };
  t.is(await redis.run(scripts.auditBegin, { usage }, mine, soon()), 'begun');
  t.is(await redis.run(scripts.auditBegin, { usage }, { ...mine, owner: 'audit-of-another' }, soon()), 'busy');
  await t.throwsAsync(rebuild.run(projectId, 'stale', deadlineIn(100)), { name: 'NoAnswer' }, 'it only waits');
  await rebuild.run(projectId, 'unknown', soon());
  const page = await redis.run(scripts.auditRead, { usage, book: held, deadlines }, { ...mine, cursor: '0' }, soon());
  t.is(page.answer, 'lost');
  const end = await redis.run(scripts.auditEnd, { usage }, { owner: mine.owner, tombstones, ids: '[]' }, soon());
  t.is(end.answer, 'lost');
  t.deepEqual(await look(engine, projectId), []);
});

test('one who looks and dies keeps nobody for longer than the lease', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  const { usage } = keysOf(projectId);
  await engine.redis.run(
    engine.scripts.auditBegin,
    { usage },
    { owner: 'audit-of-the-dead', lease: 300, rest: 0 },
    soon(),
  );
  const error = await t.throwsAsync(engine.check.run(projectId, { by: 'request', mend: false }, deadlineIn(50)));
  t.true(Fault.is(error, 'QuotaUnavailable'));
  t.deepEqual(await look(engine, projectId), []);
  t.is(await figures(engine, projectId), '1/0 10/0 1/0 10/0');
});

test('a look that fails opens the books again at once', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  await new Creation(engine, projectId, 10).all();
  const broken = { ...engine.store, read: () => Promise.reject(new Fault('DatabaseUnavailable', { reason: 'gone' })) };
  await t.throwsAsync(audit({ ...engine, store: broken, leaseMs: 60_000 }, projectId, soon()), {
    name: 'DatabaseUnavailable',
  });
  t.is(await engine.redis.client.hget(keysOf(projectId).usage, 'lease'), null);
});

storesFor('while volumes come and go nothing is found where nothing is wrong, and nobody fails', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const projectId = await projectWith(store, { volumes: -1, gigabytes: -1 });
  await figures(engine, projectId);
  const volumes = 6;
  const rounds = 12;
  let running = volumes;
  const comeAndGo = async () => {
    for (let n = 0; n < rounds; n++) {
      const creation = new Creation(engine, projectId, 1 + (n % 3));
      await creation.all(); // throws when a look has disowned it
      if (n % 3 !== 0) await engine.settlements.settle(await creation.destroy(), soon());
    }
    running -= 1;
  };
  const looks = async () => {
    let count = 0;
    for (; running > 0 || count < 5; count++) t.deepEqual(inWords(await look(engine, projectId)), []);
    return count;
  };
  await Promise.all([looks(), ...Array.from({ length: volumes }, comeAndGo)]);
  t.is((await figures(engine, projectId)).split(' ')[0], `${(volumes * rounds) / 3}/0`);
});

storesFor(
  'what is wrong is found and mended while volumes come and go, and those in between ask again',
  async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const projectId = await projectWith(store, { volumes: -1, gigabytes: -1 });
    await figures(engine, projectId);
    const made: Creation[] = [];
    let isMended = false;
    const come = async () => {
      while (!isMended) {
        const creation = new Creation(engine, projectId, 1);
        try {
          await creation.all();
          made.push(creation);
        } catch {
          await revert(creation); // a rebuild has disowned it
        }
      }
    };
    const coming = Promise.all(Array.from({ length: 4 }, come));
    await engine.redis.client.hincrby(keysOf(projectId).usage, 'i:volumes', 7);
    const found = await mend(engine, projectId);
    t.deepEqual(await look(engine, projectId), []);
    isMended = true;
    await coming;
    t.deepEqual(
      found.map(({ resource, figure, recorded, inRedis }) => [resource, figure, inRedis - recorded]),
      [['volumes', 'in use', 7]],
    );
    t.deepEqual(await look(engine, projectId), []);
    t.is((await figures(engine, projectId)).split(' ')[0], `${made.length}/0`);
  },
);

/** As QuotaCommit, EntryCreate and QuotaReserve revert. */
async function revert({ engine, reservationId, charge }: Creation): Promise<void> {
  const { store, settlements } = engine;
  const row = { ...charge, kind: 'charge', state: 'void', until: null, createdAt: 0 } as const;
  await store.apply([markVoid(reservationId)]);
  await settlements.undo(charge, soon());
  if (!(await findSettlement(store, reservationId))) return;
  await store.apply([markUndo(reservationId), ...CHARGED_VOLUMES.destroy(row)]);
  await settlements.undo(charge, soon());
}

/** Every key of a project as it is. */
async function dump({ redis: { client } }: Engine, projectId: string): Promise<Readonly<Record<string, unknown>>> {
  const { usage, held, pinned, deadlines } = keysOf(projectId);
  return {
    usage: { ...(await client.hgetall(usage)), looked: undefined },
    held: await client.hgetall(held),
    pinned: await client.hgetall(pinned),
    deadlines: await client.zrange(deadlines, '0', '-1', 'WITHSCORES'),
  };
}
