import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import test from 'ava';
import { insertRelease } from '#src/db/quota-settlements.js';
import { backupAmounts } from '#src/quota/deltas/backup.js';
import { snapshotAmounts } from '#src/quota/deltas/snapshot.js';
import { extendAmounts, retypeAmounts } from '#src/quota/deltas/volume.js';
import { volumeAmounts } from '#src/quota/resources.js';
import { keysOf } from '#src/quota/scripts.js';
import { deadlineIn } from '#src/time/deadline.js';
import { charged, held, recordedUse, released, used } from '../support/quota-changes.js';
import { Creation, type Engine, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { backup, removed, resized, retyped, snapshot, volume } from '../support/quota-records.js';
import { eventually, recordingLog, redisFor, redisServerFor, connect } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';

// How quotas of other systems have failed their users, by the reports of these. A title begins with the report's number.

const [A, B] = [randomUUID(), randomUUID()];
const COUNTED = { countSnapshotGib: true };

/** A project with a volume of 10 GiB that is charged. */
async function projectOn(engine: Engine, limits: Readonly<Record<string, number>> = {}) {
  const projectId = await projectWith(engine.store, { volumes: -1, gigabytes: -1, snapshots: -1, ...limits });
  const deltas = volumeAmounts({ sizeGib: 10, volumeTypeId: A });
  const made = volume({ projectId, sizeGib: 10, volumeTypeId: A });
  await charged(engine, { projectId, deltas, steps: made.steps });
  return { projectId, volumeId: made.id, deltas };
}

const KEYS = ['volumes', 'gigabytes', 'snapshots', 'backups', 'backup_gigabytes', 'groups'];

storesFor('LP 1587376: a reservation that is committed twice counts once', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const creation = new Creation(engine, await projectWith(store), 10);
  await creation.reserve();
  await creation.tx1();
  const words = await Promise.all(Array.from({ length: 8 }, () => creation.commit()));
  t.deepEqual([...new Set(words)], ['committed']);
  await creation.tx2();
  t.is(await creation.commit(), 'committed', 'and when it is all over');
  t.is(await figures(engine, creation.projectId), '1/0 10/0 1/0 10/0');
});

storesFor('LP 1484343: a project that many use first at once has one set of sums', async (t, store) => {
  const engines = [engineOf(await redisFor(t), store), engineOf(await redisFor(t), store)] as const;
  const projectId = await projectWith(store, { volumes: 12, gigabytes: -1 });
  await store.apply([...volume({ projectId, sizeGib: 10 }).steps, ...volume({ projectId, sizeGib: 5 }).steps]);
  const ask = async (i: number) => {
    const engine = engines[i % 2 === 0 ? 0 : 1];
    return (await engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon() })).answer;
  };
  const answers = await Promise.all(Array.from({ length: 32 }, (_, i) => ask(i)));
  t.is(answers.filter((answer) => answer === 'reserved').length, 10);
  t.is(await figures(engines[1], projectId), '2/10 15/0 2/0 15/0');
});

storesFor('LP 1917450: a volume that migrates counts once, before, while and after', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const { projectId } = await projectOn(engine);
  const before = await used(engine, projectId, KEYS);
  const destination = volume({ projectId, sizeGib: 10, volumeTypeId: A, useQuota: false });
  await store.apply(destination.steps);
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), before, 'while');
  await store.apply([removed('volumes', destination.id)]);
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), before, 'after');
  t.deepEqual(await recordedUse(engine, projectId), before);
});

storesFor('LP 1919161, 1923828, 1923829, 1923830: temporary volumes and snapshots never count', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const { projectId, volumeId } = await projectOn(engine, { volumes: 1, gigabytes: 10, snapshots: 0 });
  const before = await used(engine, projectId, KEYS);
  const [ofBackup, ofRevert] = [
    volume({ projectId, sizeGib: 10, volumeTypeId: A, useQuota: false }),
    snapshot({ projectId, volumeId, sizeGib: 10, useQuota: false }),
  ];
  await store.apply([...ofBackup.steps, ...ofRevert.steps]);
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), before);
  await store.apply([removed('volumes', ofBackup.id), removed('snapshots', ofRevert.id)]);
  await engine.rebuild.run(projectId, 'unknown', soon());
  t.deepEqual(await used(engine, projectId, KEYS), before);
});

storesFor('LP 1877164: a retype takes the snapshots of the volume along', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const { projectId, volumeId } = await projectOn(engine);
  const snapshots = [{ sizeGib: 7 }, { sizeGib: 10 }];
  for (const { sizeGib } of snapshots) {
    const { steps } = snapshot({ projectId, volumeId, sizeGib });
    await charged(engine, { projectId, deltas: snapshotAmounts({ sizeGib, volumeTypeId: A }, COUNTED), steps });
  }
  const deltas = retypeAmounts({ sizeGib: 10, volumeTypeId: A, snapshots }, B, COUNTED);
  await (await held(engine, { projectId, deltas, steps: [retyped(volumeId, B)] })).finish();
  const ofTypes = Object.keys(deltas);
  t.deepEqual(await used(engine, projectId, ofTypes), await recordedUse(engine, projectId));
  t.like(await used(engine, projectId, ofTypes), {
    gigabytes: '27',
    [`gigabytes_${B}`]: '27',
    [`snapshots_${B}`]: '2',
  });
});

test('LP 1809323: a backup that fails gives back backups and their gigabytes, and nothing of the volumes', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const { projectId } = await projectOn(engine);
  const before = await used(engine, projectId, KEYS);
  const ref = { id: randomUUID(), projectId };
  await engine.quota.reserve(projectId, backupAmounts(10), { id: ref.id, deadline: soon() });
  t.like(await used(engine, projectId, KEYS), { backups: '0/1', backup_gigabytes: '0/10' });
  t.is(await engine.quota.rollback(ref, soon()), 'rolledback');
  t.is(await engine.quota.rollback(ref, soon()), 'rolledback');
  t.deepEqual(await used(engine, projectId, KEYS), before);
});

test('LP 2077643, 2107451: the repair knows every resource, stores what it finds, and may be repeated', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const { projectId } = await projectOn(engine);
  const saved = backup({ projectId, sizeGib: 3 });
  await charged(engine, { projectId, deltas: backupAmounts(3), steps: saved.steps });
  await charged(engine, { projectId, deltas: { groups: 1 }, steps: [] }); // a charge without a record: drift
  await engine.redis.client.hincrby(keysOf(projectId).usage, 'i:gigabytes', 7);
  for (let turn = 0; turn < 2; turn += 1) {
    await engine.rebuild.run(projectId, 'unknown', soon());
    t.deepEqual(await used(engine, projectId, KEYS), await recordedUse(engine, projectId));
  }
  t.like(await used(engine, projectId, KEYS), { gigabytes: '10', backups: '1', backup_gigabytes: '3' });
});

test('cinder-specs 2024.1 quota-system: a flow says of quota only which of its steps reserve and commit', async (t) => {
  const src = new URL('../../../src/', import.meta.url);
  const flows = (await readdir(src, { recursive: true })).filter((path) => /flows\/[^/]+\.ts$/.test(path));
  t.true(flows.includes('api/flows/create-volume.ts'));
  for (const path of flows) {
    const lines = (await readFile(new URL(path, src), 'utf8')).split('\n');
    const steps = lines.filter((line) => /^\s*\.step\(/.test(line) && /quota/i.test(line));
    const others = lines.filter(
      (line) => /quota/i.test(line) && !/^import |Parts( &|;)$|^\s*\.step\(|^\s*(\/\/|\*|\/\*\*)/.test(line),
    );
    t.true(steps.length <= 2, path);
    t.deepEqual(others, [], path);
  }
});

test('kubernetes#30396, rucio#6464: usage never becomes negative, and what tries to make it so is not overlooked', async (t) => {
  const log = recordingLog();
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { log });
  const { projectId } = await projectOn(engine, { gigabytes: 10 });
  const release = { id: randomUUID(), projectId, deltas: { gigabytes: 25 }, until: Date.now() + 60_000 };
  t.is(await engine.quota.release(release, soon()), 'released');
  t.is((await used(engine, projectId, KEYS))['gigabytes'], undefined, 'nothing, not less');
  const [alarm] = log.lines.filter(({ level }) => level === 'error');
  t.like(alarm?.fields, { projectId, clamped: 'gigabytes in use' });
  const ask = (gigabytes: number) =>
    engine.quota.reserve(projectId, { gigabytes }, { id: randomUUID(), deadline: soon() });
  t.is((await ask(11)).answer, 'over', 'the limit is not lifted by what was given back too much');

  await engine.rebuild.run(projectId, 'unknown', soon());
  t.is((await ask(1)).answer, 'over', 'and the records end it');
});

test('vsphere-csi#4205: one reservation that ends leaves all others reserved', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store);
  const ids = [randomUUID(), randomUUID(), randomUUID()] as const;
  for (const id of ids) await engine.quota.reserve(projectId, { gigabytes: 5 }, { id, deadline: soon() });
  await engine.quota.rollback({ id: ids[0], projectId }, soon());
  t.is((await used(engine, projectId, KEYS))['gigabytes'], '0/10');
  await engine.quota.rollback({ id: ids[0], projectId }, soon());
  await engine.quota.commit({ id: ids[1], projectId }, soon());
  await engine.quota.rollback({ id: ids[1], projectId }, soon());
  t.deepEqual((await engine.quota.usage(projectId, ['gigabytes'], soon())).get('gigabytes'), { inUse: 5, reserved: 5 });
});

test('kredis#80, daytona#1849: between the check and the count there is nothing; the last one is let in', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store, { volumes: 10 });
  const ask = () => engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon() });
  const answers = await Promise.all(Array.from({ length: 64 }, ask));
  t.is(answers.filter(({ answer }) => answer === 'reserved').length, 10);
});

test('karavi-authorization: what was approved and never made expires by itself', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projectId = await projectWith(engine.store, { volumes: 1 });
  const ask = (ttlMs: number) =>
    engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon(), ttlMs });
  t.is((await ask(50)).answer, 'reserved');
  await eventually('it has expired', async () => (await ask(60_000)).answer === 'reserved');
});

storesFor(
  'karavi-authorization: deleted twice is given back once, and made again it is checked again',
  async (t, store) => {
    const engine = engineOf(await redisFor(t), store);
    const projectId = await projectWith(store, { volumes: 1, gigabytes: -1 });
    const id = randomUUID();
    const deltas = volumeAmounts({ sizeGib: 1, volumeTypeId: A });
    for (let turn = 0; turn < 3; turn += 1) {
      const made = volume({ projectId, volumeTypeId: A });
      await charged(engine, { projectId, deltas, steps: made.steps });
      await t.throwsAsync(charged(engine, { projectId, deltas, steps: [] }), { name: 'UnexpectedOverQuota' });
      const release = {
        id: turn === 0 ? id : randomUUID(),
        projectId,
        deltas,
        resourceType: 'Volume',
        resourceId: made.id,
      };
      await store.apply([removed('volumes', made.id), insertRelease(release, engine.quota.graceMs)]);
      const settled = await Promise.all([
        engine.settlements.settle(release, soon()),
        engine.settlements.settle(release, soon()),
      ]);
      t.true(settled.every((end) => end === 'settled' || end === 'gone'));
      const again = { ...release, until: Date.now() + 60_000 };
      t.is(await engine.quota.release(again, soon()), 'released', 'a delayed one changes nothing');
      t.deepEqual(await used(engine, projectId, KEYS), {});
    }
  },
);

storesFor('dell/csm#1375: a limit is honoured when volumes grow, too', async (t, store) => {
  const engine = engineOf(await redisFor(t), store);
  const { projectId, volumeId } = await projectOn(engine, { gigabytes: 15 });
  const grow = (toGib: number) => ({
    ...{ projectId, deltas: extendAmounts({ volumeTypeId: A }, toGib - 10), steps: [resized(volumeId, toGib)] },
  });
  await t.throwsAsync(held(engine, grow(16)), { message: /gigabytes/ });
  await (await held(engine, grow(15))).finish();
  const more = { projectId, deltas: volumeAmounts({ sizeGib: 1, volumeTypeId: A }), steps: [] };
  await t.throwsAsync(charged(engine, more), { message: /gigabytes/ }, 'what has grown is counted');
  const deltas = volumeAmounts({ sizeGib: 15, volumeTypeId: A });
  await released(engine, { projectId, deltas, steps: [removed('volumes', volumeId)] });
  t.deepEqual(await used(engine, projectId, KEYS), {}, 'and given back with what it had grown by');
});

test('Ably, keys do not expire at one instant: sums and what they are made of go together, and only when all is over', async (t) => {
  const engine = engineOf(await redisFor(t), await sqliteStore(t), { ttlMs: 60_000 });
  const projectId = await projectWith(engine.store);
  const { client } = engine.redis;
  const keys = keysOf(projectId);
  for (const ttlMs of [1_000, 90_000, 30_000]) {
    await engine.quota.reserve(projectId, { volumes: 1 }, { id: randomUUID(), deadline: soon(), ttlMs });
  }
  const [held, deadlines] = [await client.pexpiretime(keys.held), await client.pexpiretime(keys.deadlines)];
  const last = (await client.zrange(keys.deadlines, '0', '-1', 'WITHSCORES')).at(-1);
  t.is(held, deadlines);
  t.true(held > Number(last), `${held} is after the last deadline, ${last}`);
  t.is(await client.pexpiretime(keys.usage), -1, 'a counter that still matters does not expire');
});

test('redis#10576: a script that meets a key of a wrong kind has written nothing, and the records mend it', async (t) => {
  const server = await redisServerFor(t);
  const engine = engineOf(await connect(t, server.socket), await sqliteStore(t));
  const { projectId, deltas } = await projectOn(engine);
  const { client } = engine.redis;
  const keys = keysOf(projectId);
  await client.del(keys.deadlines);
  await client.set(keys.deadlines, 'not a sorted set');
  const reply = await engine.quota.reserve(projectId, deltas, { id: randomUUID(), deadline: deadlineIn(5_000) });
  t.is(reply.answer, 'reserved');
  t.like(
    await used(engine, projectId, KEYS),
    { volumes: '1/1', gigabytes: '10/10' },
    'once, though it was tried twice',
  );
  t.is(await client.type(keys.deadlines), 'zset');
});
