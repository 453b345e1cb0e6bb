import { Redis } from 'ioredis';
import test, { type ExecutionContext } from 'ava';
import { keysOf } from '#src/quota/scripts.js';
import { installationFor, until } from '../support/installation.js';
import { shownBy } from '../support/metrics.js';
import { CLI, processFor } from '../support/process.js';
import { redisUrlFor } from '../support/redis.js';

/** An installation over a Redis that a test can reach, with a volume of 2 GiB in `demo`. */
async function booksFor(t: ExecutionContext, environment: Readonly<Record<string, string>>) {
  const url = await redisUrlFor(t);
  const installation = await installationFor(t, { CINDER_REDIS_URL: url, ...environment });
  const redis = new Redis(url);
  t.teardown(() => redis.disconnect());
  const client = installation.client();
  const { id } = await client.create({ size: 2 });
  await client.available(id);
  const run = async (...argv: string[]) => {
    const caller = ['--api', installation.address, '--project', 'ops', '--roles', 'admin'];
    const command = processFor(t, process.execPath, [CLI, ...caller, 'quota', ...argv, '-f', 'value']);
    return { code: await command.ended(), stdout: command.stdout(), stderr: command.stderr() };
  };
  return { installation, client, run, volumeId: id, spoil: () => redis.hincrby(keysOf('demo').usage, 'i:volumes', 7) };
}

test('an operator finds what is wrong, sees what is right, and mends it', async (t) => {
  const { client, run, volumeId, spoil } = await booksFor(t, { CINDER_QUOTA_RECONCILE_INTERVAL: '0' });
  t.deepEqual(await run('check'), { code: 0, stdout: '', stderr: '' });
  await spoil();
  const wrong = 'demo volumes in use 1 8\n';
  t.like(await run('check'), { code: 1, stdout: wrong });
  t.like(await run('check', '--project', 'another'), { code: 0, stdout: '' });
  t.like(await run('sync', '--dry-run', '--project', 'demo'), { code: 1, stdout: wrong });
  t.deepEqual((await client.usage()).volumes, [8, 0]);

  const { stdout } = await run('explain', 'demo', '-c', 'Kind', '-c', 'Resource', '-c', 'In Use');
  const [line = '', ...others] = stdout.trim().split('\n');
  t.true(line.startsWith(`volume ${volumeId} `) && line.includes("gigabytes='2'"), line);
  t.deepEqual(others, [], 'the seven others are nowhere');

  t.like(await run('sync'), { code: 0, stdout: wrong });
  t.like(await run('check'), { code: 0, stdout: '' });
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [2, 0] });
});

test('while volumes are made and deleted a check finds nothing, and no request fails for it', async (t) => {
  const { client } = await booksFor(t, { CINDER_QUOTA_RECONCILE_INTERVAL: '1' });
  let running = 3;
  const comeAndGo = async () => {
    for (let n = 0; n < 4; n++) {
      const { id } = await client.create();
      await client.available(id);
      await client.delete(id);
      await client.gone(id);
    }
    running -= 1;
  };
  const look = async () => {
    while (running > 0) t.deepEqual(await client.quotaDifferences(), []);
  };
  await Promise.all([look(), ...Array.from({ length: running }, comeAndGo)]);
  await until(async () => ((await client.usage()).volumes.join() === '1,0' ? true : undefined), 'all to be given back');
  t.deepEqual(await client.quotaDifferences(), []);
});

test('what is wrong is mended without anybody asking, told in the log and counted', async (t) => {
  const { installation, client, spoil } = await booksFor(t, { CINDER_QUOTA_RECONCILE_INTERVAL: '1' });
  await spoil();
  await until(async () => ((await client.usage()).volumes[0] === 1 ? true : undefined), 'usage to be mended');
  await installation.process.wrote(/quota was not what the records say, and was mended/);
  const mended = { by: 'reconciler', outcome: 'mended' };
  await until(async () => {
    const shown = await shownBy(installation.process);
    return (await shown.value('cinder_quota_checks_total', mended)) === 1 ? true : undefined;
  }, 'the metric');
  t.is(await installation.stop(), 0);
});
