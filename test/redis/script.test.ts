import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { TryAgain } from '#src/redis/connection.js';
import { loadScript } from '#src/redis/script.js';
import { deadlineIn } from '#src/time/deadline.js';
import { connect, redisFor, redisServerFor } from '../support/redis.js';
import { folderFor } from '../support/folder.js';

const HEADER = `-- add.lua: add to a counter.
--
-- KEYS[1] counter  string
-- ARGV[1] amount   integer
-- ARGV[2] label    text
`;

async function luaFile(t: ExecutionContext, text: string): Promise<URL> {
  const path = join(await folderFor(t), 'add.lua');
  await writeFile(path, text);
  return pathToFileURL(path);
}

test('a script whose header and caller name other arguments is refused', async (t) => {
  const file = await luaFile(t, HEADER);
  const load = (keys: string[], args: string[]) => () => loadScript({ file, keys, args, decode: String });

  t.notThrows(load(['counter'], ['amount', 'label']));
  t.throws(load(['counter'], ['label', 'amount']), { message: /add\.lua: its header says ARGV amount, label/ });
  t.throws(load(['counter'], ['amount']), { message: /ARGV/ });
  t.throws(load(['usage'], ['amount', 'label']), { message: /KEYS counter; its caller says usage/ });
});

test('a script runs with its prelude in front and knows the incarnation of the server', async (t) => {
  const redis = await redisFor(t);
  const prelude = await luaFile(t, 'local twice = 2\n');
  const file = await luaFile(t, `${HEADER}return {TOK, redis.call('INCRBY', KEYS[1], ARGV[1] * twice), ARGV[2]}`);
  const add = loadScript({ file, prelude, keys: ['counter'], args: ['amount', 'label'], decode: (reply) => reply });

  const info = await redis.client.info();
  const token = `${/run_id:(\w+)/.exec(info)?.[1] ?? ''}:${/master_replid:(\w+)/.exec(info)?.[1] ?? ''}`;
  const answer = await redis.run(add, { counter: `{${t.title}}` }, { amount: 4, label: 'x' }, deadlineIn(5_000));
  t.deepEqual(answer, [token, 8, 'x']);
});

test('a script that was flushed from the cache is loaded again, once for all callers', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  const file = await luaFile(t, `${HEADER}return redis.call('INCRBY', KEYS[1], ARGV[1])`);
  const add = loadScript({ file, keys: ['counter'], args: ['amount', 'label'], decode: Number });
  const run = () => redis.run(add, { counter: 'c' }, { amount: 1, label: '' }, deadlineIn(5_000));

  await run();
  await redis.client.script('FLUSH');
  const answers = await Promise.all(Array.from({ length: 20 }, run));
  t.deepEqual(
    answers.sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i + 2),
  );
  const loads = /cmdstat_script\|load:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1];
  t.is(loads, '2');
});

test('a script of a former incarnation is never loaded into the next one', async (t) => {
  const server = await redisServerFor(t);
  const redis = await connect(t, server.socket);
  const file = await luaFile(t, `${HEADER}return TOK`);
  const who = loadScript({ file, keys: ['counter'], args: ['amount', 'label'], decode: String });
  const run = (deadline = deadlineIn(10_000)) => redis.run(who, { counter: 'c' }, { amount: 1, label: '' }, deadline);

  const former = await redis.incarnation('', deadlineIn(5_000));
  const before = await run();
  await redis.client.call('SHUTDOWN', 'NOSAVE').catch(() => undefined);
  const after = await run();
  t.not(after, before);
  await t.throwsAsync(redis.attempt(former, who, { counter: 'c' }, { amount: 1, label: '' }, deadlineIn(5_000)), {
    instanceOf: TryAgain,
  });
});

test("a script's own failure is thrown at once and not repeated", async (t) => {
  const redis = await redisFor(t);
  const file = await luaFile(t, `${HEADER}redis.call('INCR', KEYS[1]) error('a mistake')`);
  const broken = loadScript({ file, keys: ['counter'], args: ['amount', 'label'], decode: String });
  const counter = `{${t.title}}`;

  const run = redis.run(broken, { counter }, { amount: 1, label: '' }, deadlineIn(5_000));
  await t.throwsAsync(run, { message: /a mistake/ });
  t.is(await redis.client.get(counter), '1');
});
