import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '#src/config/load.js';
import { openRedis } from '#src/main/redis.js';
import { Reloads } from '#src/main/reload.js';
import type { RedisConnection } from '#src/redis/connection.js';
import { type Authority, authority, tlsFilesIn } from '../support/certificates.js';
import { claimsOver, newBackend, poolAs, reportFrom } from '../support/claims.js';
import { ROOT } from '../support/process.js';
import { Creation, engineOf, figures, projectWith, soon } from '../support/quota.js';
import { clusterFor, hasTls, redisProcessFor, type RedisProcess, sentinelFor } from '../support/redis-processes.js';
import { eventually, freePort, recordingLog, REDIS_SERVER } from '../support/redis.js';
import { folderFor } from '../support/folder.js';
import { sqliteStore } from '../support/sql.js';

const tlsTest = hasTls ? test : test.skip; // some builds of Redis have no TLS
const PASSWORD = 'a-password:of://some@kind';

test('without a Redis of yours there is a private one, which ends with the process', async (t) => {
  const dataDir = await folderFor(t);
  const { connection, log, close } = await open(t, { CINDER_DATA_DIR: dataDir, CINDER_REDIS_SERVER: REDIS_SERVER });
  t.true(connection.usable);
  await close();
  t.false(connection.usable);
  await t.throwsAsync(readFile(join(dataDir, 'redis', 'redis.sock')), { code: 'ENOENT' });
  t.true(log.lines.some(({ message }) => message === 'redis connected'));
});

test("the documented ACL user may do all that quota and claims need, and only with the services' keys", async (t) => {
  const server = await redisProcessFor(t);
  await setUser(server, documentedRules('~{*}:*'));
  const env = { CINDER_REDIS_URL: `redis://127.0.0.1:${server.port}` };
  await t.throwsAsync(open(t, { ...env, CINDER_REDIS_USERNAME: 'cinder', CINDER_REDIS_PASSWORD: 'wrong' }), {
    message: /^Redis cannot be used: WRONGPASS/,
  });

  await server.admin.call('ACL', 'LOG', 'RESET');
  const [user, password] = ['cinder', encodeURIComponent(PASSWORD)];
  const { connection, log } = await open(t, {
    CINDER_REDIS_URL: `redis://${user}:${password}@127.0.0.1:${server.port}`,
  });
  await worksOver(t, connection);
  t.false(JSON.stringify(log.lines).includes('a-password'));

  const refused = await server.admin.call('ACL', 'LOG');
  t.deepEqual(refused, [], 'nothing was tried that is not allowed');
  const data = documentedRules('~{*}:*').filter((rule) => /^\+[a-z]+$/.test(rule) && !OUR_OWN.has(rule));
  t.deepEqual(data.map((rule) => rule.slice(1)).sort(), [...COMMANDS_OF_SCRIPTS].sort());
  await t.throwsAsync(server.admin.call('ACL', 'DRYRUN', 'cinder', 'GET', 'other').then(notOk), {
    message: /no permissions/,
  });
});

test('Sentinels with users of their own, and servers with another, are configured by options', async (t) => {
  const passwords = { own: 'sentinels', servers: PASSWORD };
  const primary = await redisProcessFor(t, { requirepass: PASSWORD });
  await setUser(primary, documentedRules('~{*}:*'));
  const sentinel = await sentinelFor(t, primary, passwords);
  await setUser(sentinel, documentedRules('resetkeys'), 'for-sentinels');
  const { connection } = await open(t, {
    CINDER_REDIS_SENTINELS: `127.0.0.1:${await freePort()},127.0.0.1:${sentinel.port}`,
    CINDER_REDIS_SENTINEL_USERNAME: 'cinder',
    CINDER_REDIS_SENTINEL_PASSWORD: 'for-sentinels',
    CINDER_REDIS_USERNAME: 'cinder',
    CINDER_REDIS_PASSWORD: PASSWORD,
  });
  await worksOver(t, connection);
  await eventually('it listens', async () =>
    ((await sentinel.admin.call('CLIENT', 'LIST', 'TYPE', 'PUBSUB')) as string).includes('user=cinder'),
  );
});

tlsTest('a cluster speaks TLS with certificates for its addresses, its user and its password', async (t) => {
  const { files } = await certificates(t);
  const nodes = await clusterFor(t, { settings: { ...serverTls(files), 'tls-cluster': 'yes' }, isTls: true });
  for (const node of nodes) await setUser(node, documentedRules('~{*}:*'));
  const env = {
    CINDER_REDIS_CLUSTER_NODES: nodes.map(({ tlsPort }) => `127.0.0.1:${tlsPort}`).join(','),
    CINDER_REDIS_USERNAME: 'cinder',
    CINDER_REDIS_TLS: 'true',
    ...clientTls(files),
  };
  await t.throwsAsync(open(t, { ...env, CINDER_REDIS_PASSWORD: 'wrong' }, 1_000), {
    message: /^Redis cannot be used: no node of the cluster answers; 127\.0\.0\.1:\d+: WRONGPASS/,
  });
  for (const node of nodes) await node.admin.call('ACL', 'LOG', 'RESET');
  const { connection } = await open(t, { ...env, CINDER_REDIS_PASSWORD: PASSWORD });
  await worksOver(t, connection);
  for (const node of nodes) t.deepEqual(await node.admin.call('ACL', 'LOG'), []);
});

tlsTest('who cannot show a certificate, or does not know that of the server, is not let in', async (t) => {
  const { files } = await certificates(t);
  const { tlsPort } = await redisProcessFor(t, serverTls(files), { isTls: true });
  const env = { CINDER_REDIS_URL: `rediss://127.0.0.1:${tlsPort}` };
  const refused = async (message: RegExp, more: Record<string, string>) =>
    t.throwsAsync(open(t, { ...env, ...more }, 400), { message });

  await refused(/self-signed|unable to verify/, {});
  await refused(/certificate required|ECONNRESET|closed/i, { CINDER_REDIS_TLS_CA_FILE: files.ca.path });
  await refused(/altnames/, { ...clientTls(files), CINDER_REDIS_TLS_SERVER_NAME: 'redis.example' });
  await refused(/redis_tls_ca_file .*none\.pem cannot be read/, { CINDER_REDIS_TLS_CA_FILE: '/none.pem' });
  await refused(/The files of redis_tls_\* cannot be used/, { CINDER_REDIS_TLS_CA_FILE: files.key.path });
  const { connection } = await open(t, { ...env, ...clientTls(files), CINDER_REDIS_TLS_SERVER_NAME: 'localhost' });
  await connection.ping();
});

tlsTest('renewed certificates are shown at the next connection, broken ones never', async (t) => {
  const { files, folder, authorities } = await certificates(t);
  const own = await tlsFilesIn(folder, 'own', authorities.issue(), authorities.cert);
  const server = await redisProcessFor(t, serverTls(files), { isTls: true });
  const env = { CINDER_REDIS_URL: `rediss://127.0.0.1:${server.tlsPort}`, ...clientTls(own) };
  const { connection, reloads, log } = await open(t, env);
  const reconnect = async () => {
    const before = await connection.incarnation('', soon());
    await server.admin.call('CLIENT', 'KILL', 'TYPE', 'NORMAL', 'SKIPME', 'YES');
    await eventually('another connection', async () => (await connection.incarnation('', soon())) !== before);
  };

  await writeFile(own.cert.path, 'no certificate');
  await reloads.run();
  t.true(log.lines.some(({ level, fields }) => level === 'error' && fields?.['part'] === 'certificates for Redis'));
  await reconnect();

  // from now on only certificates of another authority are let in
  const next = authority('another');
  await writeFile(files.ca.path, next.cert);
  await server.admin.config('SET', 'tls-ca-cert-file', files.ca.path);
  await tlsFilesIn(folder, 'own', next.issue(), authorities.cert);
  await reloads.run();
  await reconnect();
});

/** Opens Redis as a process does that has this in its environment. */
async function open(t: ExecutionContext, environment: Record<string, string>, withinMs?: number) {
  const log = recordingLog();
  const config = loadConfig({ hostname: 'h', home: await folderFor(t), environment }).config;
  const reloads = new Reloads(log, config);
  const options = { log, reloads, ...(withinMs !== undefined && { connectTimeoutMs: withinMs }) };
  const { connection, close } = await openRedis(config, options);
  let isOpen = true;
  const closeOnce = async (): Promise<void> => {
    if (isOpen) await close();
    isOpen = false;
  };
  t.teardown(closeOnce);
  return { connection, reloads, log, close: closeOnce };
}

/** Every script of quota and claims is called. */
async function worksOver(t: ExecutionContext, redis: RedisConnection): Promise<void> {
  const engine = engineOf(redis, await sqliteStore(t));
  for (let count = 0; count < 3; count += 1) {
    const project = await projectWith(engine.store, { volumes: 2, gigabytes: -1 });
    await new Creation(engine, project).all();
    const creation = new Creation(engine, project);
    await creation.reserve(1);
    await creation.tx1();
    await engine.quota.list(project, 10, soon());
    await engine.settlements.hold(creation.charge, soon());
    await engine.quota.rollback({ id: randomUUID(), projectId: project }, soon());
    await engine.recovery.sweep();
    t.is(await new Creation(engine, project).reserve(), 'reserved');
    t.is(await new Creation(engine, project).reserve(), 'over');
    t.is(await figures(engine, project), '1/1 1/1 1/1 1/1');

    const failed = (what: string, error: unknown) => t.fail(`${what}: ${String(error)}`);
    const claims = claimsOver(redis, { observer: { claimed: () => undefined, ended: () => undefined, failed } });
    const backend = newBackend();
    const pool = poolAs(backend, 'p', 10, Date.now());
    t.is((await claims.claim({ volumeId: 'v', epoch: 1 }, pool, 6, false)).answer, 'won');
    t.is((await claims.claim({ volumeId: 'w', epoch: 1 }, pool, 6, false)).answer, 'lost');
    await claims.fold(reportFrom(backend, Date.now(), { p: 4 }, [{ volumeId: 'v', epoch: 1, pool: 'p' }]));
    await claims.release({ volumeId: 'v', epoch: 1 }, `${backend}#p`);
    t.deepEqual(await claims.outstanding([backend]), { count: 0, gib: 0 });
  }
}

/** The rules that docs/operating.md gives a user: of the line that has a word. */
function documentedRules(word: string): readonly string[] {
  const text = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
  const lines = [...text.matchAll(/^ACL SETUSER cinder on >PASSWORD (.+)$/gm)].map(([, rules = '']) =>
    rules.split(' '),
  );
  return lines.find((rules) => rules.includes(word)) ?? [];
}

async function setUser({ admin }: RedisProcess, rules: readonly string[], password = PASSWORD): Promise<void> {
  await admin.call('ACL', 'SETUSER', 'cinder', 'reset', 'on', `>${password}`, ...rules);
  await admin.call('ACL', 'LOG', 'RESET');
}

/** What the connection itself needs. */
const OUR_OWN: ReadonlySet<string> = new Set(['+info', '+ping', '+evalsha']);

/** What the scripts call, in small letters. */
const COMMANDS_OF_SCRIPTS = new Set(
  ['quota', 'claims'].flatMap((folder) => {
    const path = join(ROOT, 'scripts/redis', folder);
    const texts = readdirSync(path).map((file) => readFileSync(join(path, file), 'utf8'));
    return texts.flatMap((text) => [...text.matchAll(/\w\(\s*'([A-Z]+)'/g)].map(([, name = '']) => name.toLowerCase()));
  }),
);

async function certificates(t: ExecutionContext): Promise<{ files: Files; folder: string; authorities: Authority }> {
  const folder = await folderFor(t);
  const authorities = authority();
  return { folder, authorities, files: await tlsFilesIn(folder, 'redis', authorities.issue(), authorities.cert) };
}

type Files = Awaited<ReturnType<typeof tlsFilesIn>>;

function serverTls({ cert, key, ca }: Files) {
  return {
    ...{ 'tls-cert-file': cert.path, 'tls-key-file': key.path, 'tls-ca-cert-file': ca.path },
    'tls-auth-clients': 'yes',
  };
}

function clientTls({ cert, key, ca }: Files) {
  return {
    CINDER_REDIS_TLS_CA_FILE: ca.path,
    CINDER_REDIS_TLS_CERT_FILE: cert.path,
    CINDER_REDIS_TLS_KEY_FILE: key.path,
  };
}

function notOk(reply: unknown): void {
  if (reply !== 'OK') throw new Error(String(reply));
}
