import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { loadConfig } from '#src/config/load.js';
import type { Config } from '#src/config/schema.js';
import { Reloads } from '#src/main/reload.js';
import { folderFor } from '../support/folder.js';
import { installationFor } from '../support/installation.js';
import { recordingLog } from '../support/redis.js';

const configWith = (environment: Record<string, string> = {}): Config =>
  loadConfig({ environment, hostname: 'node1', home: '/nonexistent' }).config;

test('a part that fails stays as it was, and the others are reloaded all the same', async (t) => {
  const log = recordingLog();
  const reloads = new Reloads(log, configWith(), () => configWith({ CINDER_LOG_LEVEL: 'debug' }));
  const seen: string[] = [];
  reloads.add({ name: 'certificates', reload: () => Promise.reject(new Error('no such file')) });
  reloads.add({ name: 'log level', options: ['logLevel'], reload: ({ logLevel }) => void seen.push(logLevel) });

  await reloads.run();

  t.deepEqual(seen, ['debug']);
  t.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields?.['part'] ?? fields?.['parts']]),
    [
      ['error', 'certificates'],
      ['info', ['log level']],
    ],
  );
});

test('a configuration that is broken leaves the last one in force, and files are read again', async (t) => {
  const log = recordingLog();
  const reloads = new Reloads(log, configWith(), () => configWith({ CINDER_LOG_LEVEL: 'loud' }));
  const seen: string[] = [];
  reloads.add({ name: 'tokens', reload: ({ logLevel }) => void seen.push(logLevel) });

  await reloads.run();

  t.deepEqual(seen, ['info']);
  t.is(log.lines[0]?.level, 'error');
});

test('options that no part can change are named: they take effect at the next start', async (t) => {
  const log = recordingLog();
  const next = configWith({ CINDER_LOG_LEVEL: 'debug', CINDER_QUOTA_VOLUMES: '3' });
  const reloads = new Reloads(log, configWith(), () => next);
  reloads.add({ name: 'log level', options: ['logLevel'], reload: () => undefined });

  await reloads.run();

  const warned = log.lines.filter(({ level }) => level === 'warn');
  t.deepEqual(
    warned.map(({ fields }) => fields?.['options']),
    [['quota_volumes']],
  );
});

test('runs never overlap', async (t) => {
  const reloads = new Reloads(recordingLog(), configWith());
  let running = 0;
  let most = 0;
  reloads.add({
    name: 'slow',
    async reload() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    },
  });

  await Promise.all([reloads.run(), reloads.run(), reloads.run()]);

  t.is(most, 1);
});

test('SIGHUP changes the log level of a running process to what the file says', async (t) => {
  const file = join(await folderFor(t), 'cinder-grpc.toml');
  await writeFile(file, 'log_level = "warn"\n');
  const installation = await installationFor(t, { CINDER_CONFIG: file });
  t.notRegex(installation.process.stderr(), /"level":"info"/);

  await writeFile(file, 'log_level = "debug"\n');
  installation.process.child.kill('SIGHUP');

  await installation.process.wrote(/"message":"reloaded"/);
  const { id } = await installation.client().create();
  await installation.process.wrote(new RegExp(`"level":"debug".*${id}`));
});
