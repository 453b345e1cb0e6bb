import test, { type ExecutionContext } from 'ava';
import { connectRedis } from '#src/redis/connect.js';
import { SentinelWatch } from '#src/redis/sentinel-watch.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { deadlineIn } from '#src/time/deadline.js';
import { Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { Load } from '../support/quota-load.js';
import { redisProcessFor, type RedisProcess, sentinelFor } from '../support/redis-processes.js';
import { eventually, freePort, recordingLog } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const PASSWORDS = { own: 'of-the-sentinels', servers: 'of-the-servers' };
const LOCKED = { requirepass: PASSWORDS.servers, masterauth: PASSWORDS.servers };

test('what a failover loses is mended from the records: nothing counts twice and nothing is forgotten', async (t) => {
  const { primary, replica, sentinel } = await watched(t);
  const log = recordingLog();
  const engine = engineOf(await connect(t, sentinel, log), await sqliteStore(t));
  const project = await projectWith(engine.store, { volumes: 8, gigabytes: -1 });
  for (let count = 0; count < 3; count += 1) await new Creation(engine, project).all();
  const expired = new Creation(engine, project);
  await expired.reserve();
  await replicated(primary);

  // from here on the primary alone knows
  replica.pause();
  for (let count = 0; count < 3; count += 1) await new Creation(engine, project).all();
  const undecided = new Creation(engine, project);
  await undecided.reserve();
  await undecided.tx1();
  await expired.tx1();
  t.is(await expired.commit(), 'committed'); // its process dies before it says so in the records
  t.is(await figures(engine, project), '7/1 7/1 7/1 7/1');
  await primary.kill();
  replica.resume();

  t.is(await undecided.commit(deadlineIn(15_000)), 'disowned');
  t.is(await figures(engine, project), '6/0 6/0 6/0 6/0');
  t.is((await replica.admin.role())[0], 'master');
  const last = [new Creation(engine, project), new Creation(engine, project), new Creation(engine, project)];
  t.deepEqual(
    [await last[0]?.reserve(), await last[1]?.reserve(), await last[2]?.reserve()],
    ['reserved', 'reserved', 'over'],
  );
  await engine.recovery.sweep();
  for (const { charge } of last) await engine.quota.rollback(charge, soon());
  t.is(await figures(engine, project), '6/0 6/0 6/0 6/0');
  for (const password of Object.values(PASSWORDS)) t.false(JSON.stringify(log.lines).includes(password));
});

test('a primary that is replaced while it lives is left under load, and usage equals the records', async (t) => {
  const { replica, sentinel } = await watched(t);
  const redis = await connect(t, sentinel);
  const engine = engineOf(redis, await sqliteStore(t));
  const project = await projectWith(engine.store, { volumes: -1, gigabytes: -1 });
  const load = new Load(t, engine, project);
  await load.makes(5);
  const former = await engine.quota.token(project, soon());

  await eventually('the Sentinel takes the replica for a good one', async () => {
    const ok = await sentinel.admin.call('SENTINEL', 'FAILOVER', 'mymaster').catch(() => 'not yet');
    return ok === 'OK';
  });
  await eventually('another incarnation', async () => (await engine.quota.token(project, soon())) !== former, 15_000);
  await load.makes(5);
  t.is((await replica.admin.role())[0], 'master');
  const { usage, records } = await load.end();
  t.is(usage, records);
});

test('a client that still reaches the former primary is told of the new one by the Sentinels', async (t) => {
  const teller = await redisProcessFor(t); // tells what a Sentinel would
  const told: string[] = [];
  const sentinels = [
    { host: '127.0.0.1', port: await freePort() },
    { host: '127.0.0.1', port: teller.port },
  ];
  const watch = new SentinelWatch({ sentinels, masterName: 'mymaster' }, {}, () => told.push('switched'));
  t.teardown(() => watch.close());
  const tell = (message: string) => teller.admin.publish('+switch-master', message);

  await eventually('it listens', async () => (await tell('another 127.0.0.1 1 127.0.0.1 2')) === 1);
  t.deepEqual(told, []);
  await tell('mymaster 127.0.0.1 1 127.0.0.1 2');
  await eventually('it was told', () => told.length === 1);

  await teller.kill();
  await teller.start();
  await eventually('it listens again', async () => (await tell('mymaster 127.0.0.1 2 127.0.0.1 1')) === 1);
  await eventually('it was told again', () => told.length === 2);
});

test('a client that is told of a new primary while it looks for one finds it', async (t) => {
  const { sentinel } = await watched(t);
  const teller = await redisProcessFor(t, { requirepass: PASSWORDS.own });
  const redis = await connect(t, sentinel, recordingLog(), teller.port);
  const tell = () => teller.admin.publish('+switch-master', 'mymaster 127.0.0.1 1 127.0.0.1 2');
  const before = await redis.incarnation('', soon());
  await eventually('it listens', async () => (await teller.admin.pubsub('NUMSUB', '+switch-master'))[1] === 1);

  sentinel.pause();
  redis.client.disconnect(true);
  await eventually('it asks the Sentinel', () => redis.client.status === 'connecting');
  await tell();
  sentinel.resume();
  t.not(await redis.incarnation('', soon()), before);
});

/** A primary, its replica, and who watches them. */
async function watched(t: ExecutionContext) {
  const primary = await redisProcessFor(t, LOCKED);
  const replica = await redisProcessFor(t, { ...LOCKED, replicaof: `127.0.0.1 ${primary.port}` });
  await eventually('the replica has caught up', async () =>
    (await replica.admin.info('replication')).includes('master_link_status:up'),
  );
  const sentinel = await sentinelFor(t, primary, PASSWORDS);
  await eventually(
    'the Sentinel knows the replica',
    async () =>
      (await sentinel.admin.info('sentinel')).includes('status=ok') &&
      (await sentinel.admin.info('sentinel')).includes('slaves=1'),
  );
  return { primary, replica, sentinel };
}

/** The first Sentinel that is named is away, unless a port says otherwise. */
async function connect(
  t: ExecutionContext,
  sentinel: RedisProcess,
  log = recordingLog(),
  first?: number,
): Promise<ServerConnection> {
  const redis = await connectRedis({
    endpoint: {
      sentinels: [
        { host: '127.0.0.1', port: first ?? (await freePort()) },
        { host: '127.0.0.1', port: sentinel.port },
      ],
      masterName: 'mymaster',
      sentinelAuth: { password: PASSWORDS.own },
    },
    access: { auth: { password: PASSWORDS.servers } },
    log,
  });
  t.teardown(() => redis.close());
  return redis;
}

async function replicated({ admin }: RedisProcess): Promise<void> {
  await eventually('the replica has everything', async () => (await admin.wait(1, 100)) === 1);
}
