import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readTokens } from '#src/auth/tokens-file.js';
import { loadConfig } from '#src/config/load.js';
import { SCHEMA } from '#src/config/schema.js';
import { folderFor } from '../support/folder.js';
import { processFor, ROOT } from '../support/process.js';
import { freePort } from '../support/redis.js';

const FOLDER = join(ROOT, 'packaging/container');
const COMPOSE = readFileSync(join(FOLDER, 'compose.yaml'), 'utf8');
const CONTAINERFILE = readFileSync(join(FOLDER, 'Containerfile'), 'utf8');
const IGNORED = readFileSync(join(FOLDER, 'Containerfile.dockerignore'), 'utf8');
const OPTIONS = Object.values(SCHEMA).map(({ name }) => `CINDER_${name.toUpperCase()}`);

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly user?: string;
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
  readonly networks?: readonly string[];
}

const { load } = createRequire(import.meta.url)('js-yaml') as { load: (text: string) => unknown };
const { services, secrets, networks } = load(COMPOSE) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  networks: Record<string, { internal?: boolean }>;
};
/** Those that run the product. */
const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('cinder-grpc:'));

test('every service runs twice, each under a name of its own, after the migration', (t) => {
  for (const kind of ['api', 'scheduler', 'volume']) {
    const both = ours.filter(([, { command }]) => command?.join(' ') === `serve ${kind}`);
    t.is(both.length, 2, kind);
    t.is(new Set(both.map(([, { environment }]) => environment?.['CINDER_HOST'])).size, 2, kind);
    for (const [name, { depends_on: before, environment }] of both) {
      t.is(before?.['migrate']?.condition, 'service_completed_successfully', name);
      const advertised = environment?.[`CINDER_${kind.toUpperCase()}_ADVERTISE`];
      if (kind !== 'api') t.is(advertised?.split(':')[0], name, 'peers find it under its own name');
    }
  }
  t.deepEqual(services['migrate']?.command, ['db', 'migrate']);
});

test('its containers cannot write but to their volumes, are not root, and have the time to stop', (t) => {
  for (const [name, service] of ours) {
    t.like(service, { read_only: true, user: 'node' }, name);
    const longest = Number(SCHEMA.gracefulShutdownTimeoutMs.defaultText) + 10;
    t.true(Number.parseInt(service.stop_grace_period ?? '', 10) >= longest + 10, name);
  }
});

test('only the API is reached from outside, and on this machine only', (t) => {
  t.true(networks['inside']?.internal);
  const open = Object.entries(services).filter(([, { ports, networks: on }]) => ports ?? on?.includes('outside'));
  t.deepEqual(open.map(([name]) => name).sort(), ['api1', 'api2', 'prometheus']);
  for (const [name, { ports = [] }] of open)
    t.true(
      ports.every((port) => port.startsWith('127.0.0.1:')),
      name,
    );
});

test('every variable that the container and compose set is an option', (t) => {
  const known = new Set([...OPTIONS, 'CINDER_CONFIG']);
  const used = [...(COMPOSE + CONTAINERFILE).matchAll(/CINDER_[A-Z_]+/g)].map(([name]) => name);
  t.true(used.length > 15);
  t.deepEqual(
    used.filter((name) => !known.has(name)),
    [],
  );
});

test('the secrets it is given make a configuration, and none of them is in compose.yaml', async (t) => {
  const folder = join(await folderFor(t), 'secrets');
  const said = execFileSync('sh', [join(FOLDER, 'make-secrets.sh'), folder], { encoding: 'utf8' });
  for (const [name, { file }] of Object.entries(secrets)) {
    const path = join(folder, file.replace('./secrets/', ''));
    t.true(existsSync(path), name);
    for (const [secret] of readFileSync(path, 'utf8').matchAll(/[0-9a-f]{64}/g)) t.false(COMPOSE.includes(secret));
  }
  const surroundings = {
    hostname: 'api1',
    home: '/',
    environment: { CINDER_CONFIG: join(folder, 'cinder-grpc.toml') },
  };
  const { config } = loadConfig(surroundings);
  t.is(config.authStrategy, 'tokens');
  t.true(config.databaseUrl.includes(readFileSync(join(folder, 'postgres-password'), 'utf8')));
  t.true(readFileSync(join(folder, 'redis.conf'), 'utf8').includes(new URL(config.redisUrl ?? '').password));
  t.true((config.internalRpcSecret ?? '').length >= 32);
  t.notThrows(() => readTokens(readFileSync(join(folder, 'tokens.toml'), 'utf8'), 'tokens.toml'));
  t.regex(said, /shown this once: [0-9a-f]{64}/);
  t.throws(() => execFileSync('sh', [join(FOLDER, 'make-secrets.sh'), folder], { stdio: 'pipe' }), undefined, 'kept');
});

test('the image is built of what is there, on a base of one version, and runs as somebody who may do little', (t) => {
  const stages = [...CONTAINERFILE.matchAll(/^FROM (\S+)(?: AS \S+)?$/gm)].map(([, base]) => base);
  t.is(stages.length, 3);
  t.deepEqual([...new Set(stages)], [`docker.io/library/node:20.20.2-bookworm-slim`]);
  const copied = [...CONTAINERFILE.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) =>
    sources.split(' '),
  );
  t.true(copied.length > 8);
  for (const source of copied) {
    t.true(existsSync(join(ROOT, source)), `${source} is there`);
    const top = source.startsWith('packaging/') ? source : source.split('/')[0];
    t.true(IGNORED.split('\n').includes(`!${top}`), `${source} is in the context`);
  }
  const [, last = ''] = CONTAINERFILE.split(/^FROM .*$/m).slice(-2);
  const lines = last.split('\n');
  t.true(lines.indexOf('USER node') > 0);
  t.true(lines.indexOf('USER node') < lines.findIndex((line) => line.startsWith('ENTRYPOINT')));
  t.regex(last, /HEALTHCHECK[^]*healthcheck\.mjs/);
  t.notRegex(last, /npm (ci|install)/, 'no package manager works in what is shipped');
  t.truthy(statSync(join(FOLDER, 'make-secrets.sh')).mode & 0o100);
});

for (const [what, code, expected] of [
  ['ready', 200, 0],
  ['not ready', 503, 1],
] as const) {
  test(`the health check of a process that is ${what} ends with ${expected}`, async (t) => {
    const { address, asked } = await readyzFor(t, code);
    const check = processFor(t, process.execPath, [join(FOLDER, 'healthcheck.mjs')], {
      env: { CINDER_METRICS_LISTEN: address.replace('127.0.0.1', '0.0.0.0') },
    });
    t.is(await check.ended(), expected);
    t.deepEqual(asked, ['/readyz']);
    t.regex(check.stdout(), /"redis"/, 'the reasons are in the log of the engine');
  });
}

test('the health check of a process that does not answer ends with 1 and says where it asked', async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const env = { CINDER_METRICS_LISTEN: address };
  const check = processFor(t, process.execPath, [join(FOLDER, 'healthcheck.mjs')], { env });
  t.is(await check.ended(), 1);
  t.true(check.stderr().startsWith(`http://${address}/readyz: connect ECONNREFUSED`), check.stderr());
});

async function readyzFor(t: ExecutionContext, code: number): Promise<{ address: string; asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(code, { 'content-type': 'application/json' }).end('{"redis":"ok"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
