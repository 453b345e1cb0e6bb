import test, { type ExecutionContext } from 'ava';
import type { Store } from '#src/db/store.js';
import type { ClusterConnection } from '#src/redis/cluster-connection.js';
import { connectCluster, connectRedis } from '#src/redis/connect.js';
import { slotOf } from '#src/redis/slot.js';
import { deadlineIn } from '#src/time/deadline.js';
import { claimsOver, newBackend, poolAs } from '../support/claims.js';
import { Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { Load } from '../support/quota-load.js';
import { clusterFor, moveSlot, type RedisProcess } from '../support/redis-processes.js';
import { eventually, newProject, recordingLog, SILENT } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const UNLIMITED = { volumes: -1, gigabytes: -1 };
/** The primaries' slots, as `clusterFor` gives them. */
const THIRDS = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const;

test('quota and claims of all keys work over the nodes, each under the incarnation of its own', async (t) => {
  const nodes = await clusterFor(t);
  const cluster = await connect(t, nodes.slice(0, 1));
  for (const key of ['{123}:u', 'plain', 'é{ü}:x', '{}:u', 'a}{b}c'])
    t.is(slotOf(key), Number(await nodes[0]?.admin.cluster('KEYSLOT', key)), key);

  const engine = engineOf(cluster, await sqliteStore(t));
  const tokens = new Set<string>();
  for (const third of [0, 1, 2] as const) {
    const project = await projectOn(third, engine.store);
    await new Creation(engine, project).all();
    await new Creation(engine, project).all();
    t.is(await figures(engine, project), '2/0 2/0 2/0 2/0');
    tokens.add(await engine.quota.token(project, soon()));
    t.is(await nodes[third]?.admin.exists(`{${project}}:u`), 1);
  }
  t.is(tokens.size, 3);

  const claims = claimsOver(cluster);
  const backends = [0, 1, 2].map((third) => nameOn(third as 0 | 1 | 2, newBackend));
  for (const backend of backends) {
    const pool = poolAs(backend, 'p', 10, Date.now());
    t.is((await claims.claim({ volumeId: 'v', epoch: 1 }, pool, 6, false)).answer, 'won');
    t.is((await claims.claim({ volumeId: 'w', epoch: 1 }, pool, 6, false)).answer, 'lost');
  }
  t.deepEqual(await claims.outstanding(backends), { count: 3, gib: 18 });
});

test('a slot that moves under load has its project rebuilt, and no other notices', async (t) => {
  const nodes = await clusterFor(t);
  const cluster = await connect(t, nodes);
  const log = recordingLog();
  const engine = engineOf(cluster, await sqliteStore(t), { log });
  const [moved, neighbour, other] = [
    await projectOn(0, engine.store),
    await projectOn(0, engine.store),
    await projectOn(1, engine.store),
  ];
  const loads = [moved, neighbour, other].map((project) => new Load(t, engine, project));
  const [onMoved, ...onOthers] = loads;
  await Promise.all(loads.map((load) => load.makes(5)));
  const rebuilds = (project: string) =>
    log.lines.filter(({ message, fields }) => message.startsWith('quota rebuilt') && fields?.projectId === project)
      .length;
  const before = [moved, neighbour, other].map(rebuilds);

  const [from, to] = nodes as [RedisProcess, RedisProcess];
  await moveSlot(slotOf(`{${moved}}`), [from, to], nodes, async () => {
    await Promise.all(onOthers.map((load) => load.makes(5)));
  });
  await Promise.all(loads.map((load) => load.makes(5)));
  t.is(await to.admin.exists(`{${moved}}:u`), 1);
  t.is(await from.admin.exists(`{${moved}}:u`).catch(() => 'moved'), 'moved');

  for (const load of loads) {
    const { usage, records, answered } = await load.end();
    t.is(usage, records);
    t.true(usage.startsWith(`${answered}/`), `${answered} were answered, ${usage} are there`);
  }
  t.true(rebuilds(moved) > (before[0] ?? 0));
  t.deepEqual([neighbour, other].map(rebuilds), before.slice(1));
  t.true((onMoved?.made ?? 0) >= 10);
});

test('a primary that dies gives way to its replica: its projects are rebuilt, others never wait', async (t) => {
  const nodes = await clusterFor(t, { replicas: 1, settings: { 'cluster-node-timeout': 2_000 } });
  const cluster = await connect(t, nodes);
  const engine = engineOf(cluster, await sqliteStore(t));
  const [orphan, other] = [await projectOn(0, engine.store), await projectOn(2, engine.store)];
  const load = new Load(t, engine, orphan);
  await load.makes(5);
  const former = await engine.quota.token(orphan, soon());

  await nodes[0]?.kill();
  await eventually('the loss is noticed', () => cluster.trouble(`{${orphan}}`) !== undefined);
  t.is(cluster.trouble(`{${other}}`), undefined);
  await new Creation(engine, other).all();
  t.not(cluster.trouble(`{${orphan}}`), undefined, 'the other project was served before the failover');

  await load.makes(5);
  t.not(await engine.quota.token(orphan, soon()), former);
  const { usage, records } = await load.end();
  t.is(usage, records);
});

test('while a third of the slots has no node, its projects are told to come back and the others are served', async (t) => {
  const nodes = await clusterFor(t);
  const log = recordingLog();
  const cluster = await connect(t, nodes, log);
  const engine = engineOf(cluster, await sqliteStore(t));
  const [lost, other] = [await projectOn(2, engine.store), await projectOn(1, engine.store)];
  const creation = new Creation(engine, lost);
  await creation.reserve();

  await nodes[2]?.kill();
  const { id, deltas } = new Creation(engine, lost).charge;
  const late = engine.quota.reserve(lost, deltas, { id, deadline: deadlineIn(1_000) });
  await new Creation(engine, other).all();
  const refused = await t.throwsAsync(late);
  t.like(refused, { name: 'QuotaUnavailable', retryAfterMs: 1_000 });
  await t.throwsAsync(connect(t, nodes.slice(2), SILENT, 500), { message: /no node of the cluster answers/ });

  await nodes[2]?.start(); // empty
  await creation.tx1();
  t.is(await creation.commit(), 'disowned');
  t.is((await engine.quota.reserve(lost, deltas, { id, deadline: soon() })).answer, 'reserved');
});

test('a node that may evict keys, or is of no cluster, is named at the start', async (t) => {
  const nodes = await clusterFor(t, { settings: { 'maxmemory-policy': 'allkeys-lru' } });
  await t.throwsAsync(connect(t, nodes), { message: /^Redis cannot be used: node 127\.0\.0\.1:\d+: .*allkeys-lru/ });
  const url = `redis://127.0.0.1:${nodes[0]?.port}`;
  await t.throwsAsync(connectRedis({ url, log: SILENT }), {
    message: /node of a cluster; name it in redis_cluster_nodes/,
  });
});

async function connect(
  t: ExecutionContext,
  nodes: readonly RedisProcess[],
  log: Parameters<typeof connectCluster>[0]['log'] = SILENT,
  connectTimeoutMs = 10_000,
): Promise<ClusterConnection> {
  const seeds = nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const cluster = await connectCluster({ nodes: seeds, log, connectTimeoutMs });
  t.teardown(() => cluster.close());
  return cluster;
}

/** A project whose keys are on a node, without limits. */
async function projectOn(third: 0 | 1 | 2, store: Store): Promise<string> {
  return projectWith(store, UNLIMITED, nameOn(third, newProject));
}

function nameOn(third: 0 | 1 | 2, draw: () => string): string {
  const [first, last] = THIRDS[third];
  for (;;) {
    const name = draw();
    const slot = slotOf(`{${name}}`);
    if (first <= slot && slot <= last) return name;
  }
}
