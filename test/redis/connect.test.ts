import test from 'ava';
import { connectRedis } from '#src/redis/connect.js';
import { NoAnswer } from '#src/redis/connection.js';
import { inspect } from '#src/redis/incarnation.js';
import { deadlineIn } from '#src/time/deadline.js';
import { connect, eventually, recordingLog, redisServerFor, SILENT } from '../support/redis.js';

test('a server that may evict keys is refused at the start', async (t) => {
  const server = await redisServerFor(t, { settings: ['--maxmemory-policy', 'allkeys-lru'] });
  await t.throwsAsync(connectRedis({ url: server.socket, log: SILENT }), {
    message: 'Redis cannot be used: its maxmemory-policy is allkeys-lru, which loses quota; set it to noeviction',
  });
});

test('a server that begins to evict is no longer used after the next connection', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  redis.client.disconnect(true);
  await eventually('refused', () => redis.refusal !== undefined);
  await t.throwsAsync(redis.incarnation('', deadlineIn(50)), { instanceOf: NoAnswer, message: /allkeys-lru/ });

  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  await eventually('it is used again, though nobody asks', () => redis.usable);
});

test('a server without an append-only file is used, with a warning', async (t) => {
  const server = await redisServerFor(t, { settings: ['--appendonly', 'no'] });
  const log = recordingLog();
  const redis = await connectRedis({ url: server.socket, log });
  t.teardown(() => redis.close());
  t.true(log.lines.some(({ level, message }) => level === 'warn' && message.includes('append-only')));
});

test('a server that is not there is named as such, and the password is not', async (t) => {
  const log = recordingLog();
  const url = 'redis://user:s3cret-s3cret@127.0.0.1:1';
  const error = await t.throwsAsync(connectRedis({ url, log, connectTimeoutMs: 200 }));
  t.is(error.message, 'Redis cannot be used: connect ECONNREFUSED 127.0.0.1:1');
  t.true(log.lines.length > 0);
  t.false(JSON.stringify([log.lines, error.message]).includes('s3cret'));
});

test('a wrong password is not written to the log', async (t) => {
  const server = await redisServerFor(t, { settings: ['--requirepass', 'right'], readyTimeoutMs: 500 }).catch(
    () => undefined,
  );
  t.is(server, undefined, 'a private server needs no password; PING is refused');
  const open = await redisServerFor(t);
  const log = recordingLog();
  const redis = await connectRedis({ url: open.socket, log });
  t.teardown(() => redis.close());
  await t.throwsAsync(redis.client.call('AUTH', 'hunter2-hunter2'));
  t.false(JSON.stringify(log.lines).includes('hunter2'));
});

test('the incarnation changes with a restart of the server and is read anew', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  const before = await redis.incarnation('', deadlineIn(1_000));
  await redis.client.call('SHUTDOWN', 'NOSAVE').catch(() => undefined);
  await eventually('the connection is lost', () => !redis.usable);
  const after = await redis.incarnation('', deadlineIn(10_000));
  t.not(after.token, before.token);
});

test('a server that stops answering costs each caller its own deadline, then the connection', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connectRedis({ url: server.socket, log: SILENT, replyTimeoutMs: 300 });
  t.teardown(() => redis.close());
  const pid = Number(/process_id:(\d+)/.exec(await redis.client.info('server'))?.[1]);
  process.kill(pid, 'SIGSTOP');
  t.teardown(() => void process.kill(pid, 'SIGCONT'));

  const hanging = redis.client.ping();
  await t.throwsAsync(hanging);
  await eventually('the dead connection is given up', () => !redis.usable, 2_000);
  await t.throwsAsync(redis.incarnation('', deadlineIn(100)), { instanceOf: NoAnswer });
  process.kill(pid, 'SIGCONT');
  await t.notThrowsAsync(redis.incarnation('', deadlineIn(10_000)));
});

test('a server is given so many calls at a time, and the others wait for their turn until their deadline', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connectRedis({ url: server.socket, log: SILENT, maxInFlight: 1 });
  t.teardown(() => redis.close());
  const script = { name: 'one.lua', text: 'return 1', call: () => [1, 'k'] as [number, string], decode: Number };
  const call = (timeoutMs: number) => redis.run(script, { k: 'k' }, {}, deadlineIn(timeoutMs));
  await call(5_000);

  await redis.client.client('PAUSE', 400, 'ALL');
  const first = call(5_000);
  const [, late] = await Promise.allSettled([call(5_000), call(100)]);
  t.like(late, { status: 'rejected', reason: { name: 'NoAnswer', message: 'no turn for Redis in time' } });
  t.is(await first, 1);
});

test('a caller who is aborted waits no longer', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  await server.stop();
  await eventually('the connection is lost', () => !redis.usable);
  const abort = new AbortController();
  const waiting = redis.incarnation('', deadlineIn(60_000, abort.signal));
  abort.abort();
  await t.throwsAsync(waiting, { instanceOf: NoAnswer });
});

const refuses = test.macro({
  exec: (t, changes: Record<string, string>, expected: RegExp | undefined) => {
    const { refusal } = inspect(infoWith(changes));
    if (expected) t.regex(refusal ?? '', expected);
    else t.is(refusal, undefined);
  },
  title: (_, changes, expected) => `${JSON.stringify(changes)} is ${expected ? 'refused' : 'accepted'}`,
});
test(refuses, {}, undefined);
test(refuses, { redis_version: '6.2.14' }, /6\.2\.14; 7\.0 or newer/);
test(refuses, { redis_version: '8.0.1' }, undefined);
test(refuses, { role: 'slave' }, /replica/);
test(refuses, { loading: '1' }, /loading/);
test(refuses, { redis_mode: 'cluster' }, /redis_cluster_nodes/);
test(refuses, { redis_mode: 'sentinel' }, /redis_sentinels/);
test(refuses, { maxmemory_policy: 'volatile-ttl' }, /volatile-ttl/);
test(refuses, { run_id: '"\nos.exit()' }, /run_id/);

function infoWith(changes: Record<string, string>): string {
  const fields = {
    ...{ redis_version: '7.0.15', run_id: 'a'.repeat(40), master_replid: 'b'.repeat(40) },
    ...{ role: 'master', maxmemory_policy: 'noeviction', aof_enabled: '1' },
    ...changes,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}:${value}`)
    .join('\r\n');
}
