import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CreateVolumeRequest, ListVolumesRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { answered } from '../support/api.js';
import { folderFor } from '../support/folder.js';
import { Installation, until } from '../support/installation.js';
import { CLI, processFor } from '../support/process.js';
import { bareClient, callBare } from '../support/rpc.js';
import { writeTokens } from '../support/tokens.js';

/** What begins so is a secret: it may stand in the environment and in requests, and nowhere else. */
const CANARY = 'canary-that-never-sings';

test('no secret of the configuration and no token gets into logs, answers, records or what config show prints', async (t) => {
  const folder = await folderFor(t);
  const keptElsewhere = await folderFor(t);
  const tokens = join(keptElsewhere, 'tokens.toml');
  const token = `${CANARY}-token`;
  await writeTokens(tokens, [{ token, userId: 'ann', roles: ['member'], projectId: 'demo' }]);
  const installation = new Installation(t, folder, {
    CINDER_AUTH_STRATEGY: 'tokens',
    CINDER_AUTH_TOKENS_FILE: tokens,
    CINDER_INTERNAL_RPC_SECRET: `${CANARY}-internal`,
    CINDER_LOG_LEVEL: 'debug',
  });
  await installation.start();

  const client = bareClient(t, installation);
  const ends: unknown[] = [];
  const request = CreateVolumeRequest.create({ size: 1, name: 'first' });
  const created = await callBare(client, VolumesService.createVolume, request, { 'x-auth-token': token });
  const volumeId = answered(created).volume?.id ?? '';
  await until(async () => {
    const page = ListVolumesRequest.create();
    const { volumes } = answered(await callBare(client, VolumesService.listVolumes, page, { 'x-auth-token': token }));
    return volumes[0]?.launchedAt;
  }, 'the volume');
  ends.push(created);
  for (const headers of [
    { 'x-auth-token': `${CANARY}-guessed` },
    { 'x-auth-token': token, 'x-project-id': 'another' },
    { 'x-auth-token': token, 'openstack-system-scope': 'all' },
    { 'x-auth-token': token, 'cinder-rpc-secret': `${CANARY}-internal` },
  ]) {
    const { error, response, metadata } = await callBare(client, VolumesService.getVolume, { volumeId: 'x' }, headers);
    ends.push(error?.message, error?.metadata.getMap(), response, metadata.getMap());
  }
  installation.process.child.kill('SIGHUP');
  await installation.process.wrote(/"reloaded"/);
  t.is(await installation.stop(), 0);

  const log = installation.process.stdout() + installation.process.stderr();
  t.true(log.includes(volumeId), 'the log is the one that is looked at');
  t.false(log.includes(CANARY));
  t.false(JSON.stringify(ends).includes(CANARY));
  for (const file of filesBelow(folder)) t.false(readFileSync(file, 'latin1').includes(CANARY), file);
});

test('config show masks every secret, in every format', async (t) => {
  const env = {
    CINDER_DATA_DIR: await folderFor(t),
    CINDER_DATABASE_URL: `postgres://cinder:${CANARY}@db.example/cinder?sslpassword=${CANARY}`,
    CINDER_REDIS_URL: `rediss://cinder:${CANARY}@redis.example:6380/1`,
    CINDER_INTERNAL_RPC_SECRET: CANARY,
  };
  for (const format of ['table', 'json', 'value']) {
    const shown = processFor(t, process.execPath, [CLI, 'config', 'show', '-f', format], { env });
    t.is(await shown.ended(), 0);
    t.regex(shown.stdout(), /cinder:\*\*\*@db\.example[^]*cinder:\*\*\*@redis\.example/);
    t.false((shown.stdout() + shown.stderr()).includes(CANARY), format);
  }
});

/** Installations that cannot start, or not yet, and what they say of it. */
const BROKEN: readonly (readonly [what: string, environment: Readonly<Record<string, string>>, says: RegExp])[] = [
  ['a database that is away', { CINDER_DATABASE_URL: `postgres://cinder:${CANARY}@127.0.0.1:1/cinder` }, /database/i],
  [
    'a database URL that is none',
    { CINDER_DATABASE_URL: `mysql://cinder:${CANARY}@db/cinder` },
    /database_url must be/,
  ],
  ['a Redis that is away', { CINDER_REDIS_URL: `redis://:${CANARY}@127.0.0.1:1/0` }, /redis/i],
  ['a Redis URL that is none', { CINDER_REDIS_URL: `http://:${CANARY}@redis` }, /redis_url must be/],
  [
    'an internal secret that is too short',
    { CINDER_INTERNAL_RPC_SECRET: 'canary-that-nev' },
    /internal_rpc_secret must/,
  ],
];

for (const [what, environment, says] of BROKEN) {
  test(`${what} is told without its secret`, async (t) => {
    const env = {
      CINDER_DATA_DIR: await folderFor(t),
      CINDER_API_LISTEN: '127.0.0.1:0',
      CINDER_SCHEDULER_LISTEN: '127.0.0.1:0',
      CINDER_VOLUME_LISTEN: '127.0.0.1:0',
      CINDER_METRICS_LISTEN: '127.0.0.1:0',
      CINDER_LOG_LEVEL: 'debug',
      CINDER_LOG_FORMAT: 'json',
      ...environment,
    };
    const started = processFor(t, process.execPath, [CLI, 'serve', 'all'], { env });
    await started.wrote(says);
    started.child.kill('SIGTERM');
    await started.ended();
    t.notRegex(started.stdout() + started.stderr(), /canary-that-nev/);
  });
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('volumes'))
    .map((entry) => join(entry.parentPath, entry.name));
}
