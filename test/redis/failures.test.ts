import { copyFile } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Store } from '#src/db/store.js';
import { deadlineIn, pause } from '#src/time/deadline.js';
import { Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { Load } from '../support/quota-load.js';
import { redisProcessFor, type RedisProcess } from '../support/redis-processes.js';
import { connect, eventually, newProject } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

test('a primary without its replica refuses under min-replicas-to-write, and a caller may come back with the same id', async (t) => {
  const primary = await redisProcessFor(t, { 'min-replicas-to-write': 1, 'min-replicas-max-lag': 1 });
  const replica = await redisProcessFor(t, { replicaof: `127.0.0.1 ${primary.port}` });
  const { engine, project } = await world(t, primary);
  await new Creation(engine, project).all();

  replica.pause();
  await eventually('the primary misses its replica', async () =>
    (await primary.admin.info('replication')).includes('min_slaves_good_slaves:0'),
  );
  const { id, deltas } = new Creation(engine, project).charge;
  const refused = await t.throwsAsync(engine.quota.reserve(project, deltas, { id, deadline: deadlineIn(200) }));
  t.like(refused, { name: 'QuotaUnavailable', code: 'UNAVAILABLE', retryAfterMs: 1_000 });
  t.is(await figures(engine, project), '1/0 1/0 1/0 1/0'); // what only reads is answered

  replica.resume();
  t.is((await engine.quota.reserve(project, deltas, { id, deadline: soon() })).answer, 'reserved');
  t.is(await figures(engine, project), '1/1 1/1 1/1 1/1');
});

const demoted = test.macro({
  exec: async (t, servesStale: 'yes' | 'no', reply: RegExp) => {
    const server = await redisProcessFor(t, { 'replica-serve-stale-data': servesStale });
    const { engine, project } = await world(t, server);
    await new Creation(engine, project).all();
    const next = new Creation(engine, project);
    await next.reserve();
    await next.tx1();

    await server.admin.replicaof('127.0.0.1', 1);
    await t.throwsAsync(server.admin.eval("return redis.call('SET', 'x', 1)", 0), { message: reply });
    await t.throwsAsync(next.commit(deadlineIn(300)), { name: 'InDoubt' });
    await eventually('it is refused', () => engine.redis.trouble()?.includes('it is a replica') === true);

    await server.admin.replicaof('NO', 'ONE');
    t.is(await next.commit(), 'disowned'); // another incarnation: who knows what the other primary has done
    t.is(await figures(engine, project), '1/0 1/0 1/0 1/0');
  },
  title: (_, __, reply: RegExp) =>
    `a server that became a replica (${reply.source}) decides nothing, and counts anew when it comes back`,
});
test(demoted, 'yes', /READONLY/);
test(demoted, 'no', /MASTERDOWN/);

test('a server that loads its data is waited for', async (t) => {
  const server = await redisProcessFor(t);
  const { engine, project } = await world(t, server);
  await new Creation(engine, project).all();
  await server.admin.call('DEBUG', 'POPULATE', 200, 'key', 100);
  await server.admin.save();
  await server.kill();

  // 10 ms a key
  const starting = server.start(['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024']);
  await eventually('it says that it loads', () => engine.redis.trouble() === 'it is still loading its data');
  t.is(await figures(engine, project), '1/0 1/0 1/0 1/0');
  await starting;
});

test('an old file that is put back is not believed: usage equals the records', async (t) => {
  const server = await redisProcessFor(t);
  const { engine, project } = await world(t, server);
  for (let count = 0; count < 3; count += 1) await new Creation(engine, project).all();
  await server.admin.save();
  const dump = join(server.folder, 'dump.rdb');
  await copyFile(dump, `${dump}.old`);
  const reserved = new Creation(engine, project);
  await reserved.reserve();
  for (let count = 0; count < 2; count += 1) await new Creation(engine, project).all();
  await server.kill();
  await copyFile(`${dump}.old`, dump);

  await server.start();
  t.is(await server.admin.hget(`{${project}}:u`, 'i:volumes'), '3');
  t.is(await figures(engine, project), '5/0 5/0 5/0 5/0');
  await reserved.tx1();
  t.is(await reserved.commit(), 'unknown');
});

test('a server killed again and again under load leaves usage equal to the records', async (t) => {
  const server = await redisProcessFor(t, { appendonly: 'yes', appendfsync: 'everysec' });
  const { engine, project } = await world(t, server);
  const load = new Load(t, engine, project, 4);
  for (let round = 0; round < 4; round += 1) {
    await load.makes(5);
    await server.kill();
    await server.start();
  }
  await load.makes(5);
  const { usage, records, answered } = await load.end();
  t.is(usage, records);
  t.true(usage.startsWith(`${answered}/`), `${answered} were answered, ${usage} are there`);
});

test('a lost Redis is rebuilt a few projects at a time, and who needs no rebuild does not wait', async (t) => {
  const server = await redisProcessFor(t);
  const { store, most } = slow(await sqliteStore(t));
  const engine = engineOf(await connect(t, `redis://127.0.0.1:${server.port}`), store);
  const projects = Array.from({ length: 60 }, newProject);
  const spared = newProject();
  await server.admin.flushall();
  await figures(engine, spared);

  const lines: string[] = [];
  const all = projects.map(async (project) => lines.push(await figures(engine, project)));
  await eventually('some are rebuilt', () => lines.length > 0);
  t.is(await figures(engine, spared), '0/0 0/0 0/0 0/0');
  t.true(lines.length < projects.length, 'the spared one was answered before the last');
  await Promise.all(all);
  t.true(lines.every((line) => line === '0/0 0/0 0/0 0/0'));
  t.is(most(), 8);
});

test('a connection that is cut before a reply comes costs a repetition and counts nothing twice', async (t) => {
  const server = await redisProcessFor(t);
  const cutter = await cutterFor(t, server.port);
  const store = await sqliteStore(t);
  const engine = engineOf(await connect(t, `redis://127.0.0.1:${cutter.port}`), store);
  const project = await projectWith(store, { volumes: -1, gigabytes: -1 });
  await new Creation(engine, project).all();

  const creation = new Creation(engine, project);
  cutter.cutsNext('EVALSHA');
  t.is(await creation.reserve(), 'reserved');
  t.is(await figures(engine, project), '1/1 1/1 1/1 1/1');
  await creation.tx1();
  cutter.cutsNext('EVALSHA');
  t.is(await creation.commit(), 'committed');
  await creation.tx2();
  t.is(await figures(engine, project), '2/0 2/0 2/0 2/0');
  const release = await creation.destroy();
  cutter.cutsNext('EVALSHA');
  t.is(await engine.settlements.settle(release, soon()), 'settled');
  t.is(await figures(engine, project), '1/0 1/0 1/0 1/0');
  t.is(cutter.cuts, 3);
});

/** A store that takes its time, and how many asked it at the same time. */
function slow(store: Store): { readonly store: Store; readonly most: () => number } {
  let [asking, most] = [0, 0];
  const slowed: Store = {
    dialect: store.dialect,
    read: (statement) => store.read(statement),
    close: () => store.close(),
    async apply(unit) {
      most = Math.max(most, (asking += 1));
      await pause(20, deadlineIn(1_000));
      return store.apply(unit).finally(() => (asking -= 1));
    },
  };
  return { store: slowed, most: () => most };
}

/** A quota engine on a server, and a project without limits. */
async function world(t: ExecutionContext, server: RedisProcess) {
  const engine = engineOf(await connect(t, `redis://127.0.0.1:${server.port}`), await sqliteStore(t));
  return { engine, project: await projectWith(engine.store, { volumes: -1, gigabytes: -1 }) };
}

/** Stands before a server and cuts connections between a call and its reply. */
async function cutterFor(t: ExecutionContext, to: number) {
  const sockets = new Set<Socket>();
  let word: string | undefined;
  const cutter = {
    port: 0,
    cuts: 0,
    cutsNext: (command: string) => void (word = command),
  };
  const server = createServer((client) => {
    const upstream = connectSocket(to, '127.0.0.1');
    let isCut = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.on('data', (data) => {
      if (word !== undefined && data.toString().toUpperCase().includes(word)) {
        word = undefined;
        isCut = true;
        cutter.cuts += 1;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (isCut) client.destroy();
      else client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  cutter.port = typeof address === 'object' && address ? address.port : 0;
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return cutter;
}
