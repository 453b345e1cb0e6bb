import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { ConfigError, loadConfig, type LoadOptions } from '#src/config/load.js';
import { environmentName } from '#src/config/option.js';
import { SCHEMA } from '#src/config/schema.js';
import { folderFor } from '../support/folder.js';

const nobody = { hostname: 'node1', home: '/home/nobody', environment: {} } as const;

/** Writes the default file of a user and answers what to load it with. */
async function userWithFile(t: ExecutionContext, toml: string): Promise<LoadOptions & { readonly file: string }> {
  const home = await folderFor(t);
  const file = join(home, '.local/state/cinder-grpc/cinder-grpc.toml');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, toml);
  return { hostname: 'node1', home, environment: {}, file };
}

function problemsOf(options: LoadOptions): readonly string[] {
  try {
    loadConfig(options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('without anything said, every option has its default and everything is below the data folder', (t) => {
  const { config, sources, file, warnings } = loadConfig(nobody);

  t.is(config.dataDir, '/home/nobody/.local/state/cinder-grpc');
  t.is(config.databaseUrl, 'sqlite:/home/nobody/.local/state/cinder-grpc/cinder.db');
  t.is(config.host, 'node1');
  t.is(config.apiListen, '127.0.0.1:8776');
  t.is(config.redisUrl, undefined);
  t.is(config.reservationExpireMs, 600_000);
  t.deepEqual(config.backends, [
    {
      name: 'file',
      driver: 'file',
      path: '/home/nobody/.local/state/cinder-grpc/volumes/file',
      volumeBackendName: 'file',
      availabilityZone: 'nova',
      pools: [{ name: 'pool', reservedPercentage: 0, maxOverSubscriptionRatio: '20.0' }],
    },
  ]);
  t.is(file, undefined);
  t.deepEqual(warnings, []);
  t.true(Object.values(sources).every((source) => source === 'default'));
});

test('XDG_STATE_HOME moves the data folder', (t) => {
  const { config } = loadConfig({ ...nobody, environment: { XDG_STATE_HOME: '/state' } });

  t.is(config.databaseUrl, 'sqlite:/state/cinder-grpc/cinder.db');
});

test('flags win over the environment, the environment over the file, the file over the default; each value knows its source', async (t) => {
  const user = await userWithFile(t, 'quota_volumes = 1\nquota_snapshots = 1\nquota_backups = 1\n');

  const { config, sources, file } = loadConfig({
    ...user,
    environment: { CINDER_QUOTA_VOLUMES: '2', CINDER_QUOTA_SNAPSHOTS: '2' },
    flags: { quota_volumes: '3' },
  });

  t.deepEqual([config.quotaVolumes, config.quotaSnapshots, config.quotaBackups, config.quotaGroups], [3, 2, 1, 10]);
  t.is(sources.quotaVolumes, 'flag');
  t.is(sources.quotaSnapshots, 'environment CINDER_QUOTA_SNAPSHOTS');
  t.is(sources.quotaBackups, `file ${user.file}`);
  t.is(sources.quotaGroups, 'default');
  t.is(file, user.file);
});

test('an empty variable counts as unset', (t) => {
  const { config, sources } = loadConfig({
    ...nobody,
    environment: { CINDER_REDIS_URL: '', CINDER_QUOTA_VOLUMES: '' },
  });

  t.is(config.redisUrl, undefined);
  t.is(config.quotaVolumes, 10);
  t.is(sources.quotaVolumes, 'default');
});

test('a file that is named must be there, a default one need not', (t) => {
  t.regex(
    problemsOf({ ...nobody, environment: { CINDER_CONFIG: '/nowhere.toml' } })[0] ?? '',
    /^\/nowhere\.toml cannot be read/,
  );
  t.deepEqual(problemsOf(nobody), []);
});

test('a file that is not TOML is named with the place of the mistake', async (t) => {
  const user = await userWithFile(t, 'quota_volumes = \n');

  t.regex(problemsOf(user).join('\n'), /cinder-grpc\.toml is not TOML: [^]*1/);
});

test('no mistake in a file or a value shows what may be a secret', async (t) => {
  const files = [
    'internal_rpc_secret = "hunter2\n',
    'redis_url = hunter2\n',
    'database_url = "hunter2"\n',
    '"hunter2" = \n',
  ];
  for (const toml of files) {
    const problems = problemsOf(await userWithFile(t, toml));
    t.is(problems.length, 1);
    t.false(problems.join().includes('hunter2'), problems.join());
  }
  for (const name of ['CINDER_DATABASE_URL', 'CINDER_REDIS_URL', 'CINDER_INTERNAL_RPC_SECRET']) {
    const problems = problemsOf({ ...nobody, environment: { [name]: 'hunter2' } });
    t.is(problems.length, 1);
    t.false(problems.join().includes('hunter2'), problems.join());
  }
});

test('a table of no enabled backend is not used, with a warning that names the one that was perhaps meant', async (t) => {
  const user = await userWithFile(t, 'enabled_backends = ["fast"]\n[backends.fasst]\npath = "/x"\n');
  const { config, warnings } = loadConfig(user);
  t.deepEqual(
    config.backends.map(({ name }) => name),
    ['fast'],
  );
  t.deepEqual(warnings, ['[backends.fasst] is of no enabled backend; did you mean fast?']);
});

test('what Kubernetes puts into the environment for services is passed over', (t) => {
  const links = ['SERVICE_HOST', 'SERVICE_PORT', 'SERVICE_PORT_GRPC', 'PORT', 'PORT_8776_TCP', 'PORT_8776_TCP_ADDR'];
  const environment = Object.fromEntries(links.map((link) => [`CINDER_API_${link}`, 'tcp://10.0.0.1:8776']));
  t.deepEqual(problemsOf({ ...nobody, environment }), []);
});

test('the result is frozen, down to the pools', (t) => {
  const { config } = loadConfig(nobody);

  t.true(
    [config, config.backends, config.backends[0], config.backends[0]?.pools, config.backends[0]?.pools[0]].every(
      Object.isFrozen,
    ),
  );
});

test('every mistake is told at once, each with its source and what would be right', async (t) => {
  const user = await userWithFile(t, 'quota_volume = 5\nreport_interval = "soon"\n[backends.file]\npth = "/x"\n');

  const problems = problemsOf({
    ...user,
    environment: { CINDER_API_LISTEN: 'localhost', CINDER_QUOTA_GIGABYTS: '1' },
    flags: { volume_concurrency: '0' },
  });

  t.deepEqual(problems.toSorted(), [
    'CINDER_QUOTA_GIGABYTS is unknown; did you mean CINDER_QUOTA_GIGABYTES? (environment)',
    'api_listen must be HOST:PORT or [IPV6]:PORT, port 0 to 65535 (environment CINDER_API_LISTEN)',
    `backends.file.pth is unknown; did you mean path? (file ${user.file})`,
    `quota_volume is unknown; did you mean quota_volumes? (file ${user.file})`,
    `report_interval must be a number (file ${user.file})`,
    'volume_concurrency must be 1 to 1000 (flag)',
  ]);
  t.regex(new ConfigError(problems).message, /^The configuration is not usable:\n {2}\S/);
});

test('an unknown name that resembles nothing gets no suggestion', (t) => {
  t.deepEqual(problemsOf({ ...nobody, environment: { CINDER_ZZZZZZZZ: '1' } }), [
    'CINDER_ZZZZZZZZ is unknown (environment)',
  ]);
});

test('the variables of the command line client are not taken for options', (t) => {
  t.deepEqual(
    problemsOf({ ...nobody, environment: { CINDER_PROJECT_ID: 'p', CINDER_TOKEN: 't', CINDER_API: 'a' } }),
    [],
  );
});

test('the environment names that other programs rely on', (t) => {
  const names = Object.values(SCHEMA).map(({ name }) => environmentName(name));

  for (const name of [
    'CINDER_DATA_DIR',
    'CINDER_API_LISTEN',
    'CINDER_SCHEDULER_LISTEN',
    'CINDER_VOLUME_LISTEN',
    'CINDER_METRICS_LISTEN',
    'CINDER_DATABASE_URL',
    'CINDER_REDIS_URL',
    'CINDER_HOST',
    'CINDER_VOLUME_ADVERTISE',
    'CINDER_LOG_LEVEL',
  ]) {
    t.true(names.includes(name), name);
  }
  t.is(environmentName('backends.my-ssd.path'), 'CINDER_BACKENDS_MY_SSD_PATH');
});

test('every option accepts its own default, written as it is shown', (t) => {
  const { config } = loadConfig(nobody);

  for (const [field, option] of Object.entries(SCHEMA)) {
    const value: unknown = config[field as keyof typeof SCHEMA];
    const shown = (option.show as (value: unknown) => string)(value);
    if (shown !== '') t.deepEqual(option.read(shown), value as never, option.name);
  }
});

test('a service_down_time that is not longer than report_interval becomes 2.5 times of it, with a warning', (t) => {
  const { config, warnings } = loadConfig({
    ...nobody,
    environment: { CINDER_REPORT_INTERVAL: '11', CINDER_SERVICE_DOWN_TIME: '11' },
  });

  t.is(config.serviceDownTimeMs, 27_000);
  t.is(warnings.length, 1);
});

const spelled = (environment: Record<string, string>): string =>
  Object.entries(environment)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

const refuses = test.macro<[environment: Record<string, string>, problem: RegExp]>({
  exec: (t, environment: Record<string, string>, problem: RegExp) => {
    const problems = problemsOf({ ...nobody, environment });
    t.is(problems.length, 1, problems.join('\n'));
    t.regex(problems[0] ?? '', problem);
  },
  title: (_, environment) => `refuses ${spelled(environment)}`,
});
test(refuses, { CINDER_API_LISTEN: '0.0.0.0:8776' }, /api_listen must be on loopback under auth_strategy noauth/);
test(
  refuses,
  { CINDER_VOLUME_LISTEN: '10.0.0.1:8796' },
  /volume_listen must be on loopback without internal_rpc_secret/,
);
test(refuses, { CINDER_SCHEDULER_LISTEN: '[::]:8786' }, /scheduler_listen must be on loopback/);
test(refuses, { CINDER_AUTH_STRATEGY: 'tokens' }, /auth_tokens_file is needed/);
test(refuses, { CINDER_API_LISTEN: '127.0.0.1:65536' }, /api_listen must be HOST:PORT/);
test(refuses, { CINDER_TLS_KEY_FILE: '/k' }, /tls_cert_file is needed by tls_key_file/);
test(refuses, { CINDER_TLS_CERT_FILE: '/c' }, /tls_key_file is needed by tls_cert_file/);
test(
  refuses,
  { CINDER_INTERNAL_TLS_CERT_FILE: '/c', CINDER_INTERNAL_TLS_KEY_FILE: '/k' },
  /internal_tls_ca_file is needed by internal_tls_cert_file/,
);
test(
  refuses,
  { CINDER_TLS_CERT_FILE: '/c', CINDER_TLS_KEY_FILE: '/k', CINDER_TLS_CLIENT_CA_FILE: '/a', ...internalTls('/a') },
  /internal_tls_ca_file must not be tls_client_ca_file/,
);
test(
  refuses,
  { CINDER_REDIS_URL: 'redis://r:6379', CINDER_REDIS_CLUSTER_NODES: 'a:1,b:2' },
  /redis_cluster_nodes is another Redis/,
);
test(refuses, { CINDER_REDIS_URL: 'redis://r:6379/one' }, /redis_url must be redis:/);
test(refuses, { CINDER_REDIS_URL: 'redis://u:p@r:port' }, /redis_url must be a URL/);
test(refuses, { CINDER_REDIS_SENTINELS: 'a:26379,b' }, /redis_sentinels must be a list of HOST:PORT/);
test(refuses, { CINDER_REDIS_SENTINEL_PASSWORD: 'p' }, /redis_sentinel_password needs redis_sentinels/);
test(refuses, { CINDER_REDIS_PASSWORD: 'p' }, /redis_password needs redis_url, redis_sentinels or/);
test(
  refuses,
  { CINDER_REDIS_URL: 'redis://:p@r', CINDER_REDIS_PASSWORD: 'p' },
  /redis_password is given by redis_url already/,
);
test(
  refuses,
  { CINDER_REDIS_SENTINELS: 'a:1', CINDER_REDIS_USERNAME: 'u' },
  /redis_password is needed by redis_username/,
);
test(refuses, { CINDER_REDIS_URL: 'redis://r', CINDER_REDIS_TLS: 'true' }, /redis_tls contradicts redis_url/);
test(refuses, { CINDER_REDIS_URL: 'redis://r', CINDER_REDIS_TLS_CA_FILE: '/c' }, /redis_tls_ca_file needs redis_tls/);
test(
  refuses,
  { CINDER_REDIS_URL: 'rediss://r', CINDER_REDIS_TLS_CERT_FILE: '/c' },
  /redis_tls_key_file is needed by redis_tls_cert_file/,
);
test(refuses, { CINDER_RESERVATION_EXPIRE: '60' }, /at least 4 times api_flow_deadline/);
test(refuses, { CINDER_QUOTA_VOLUMES: '-2' }, /quota_volumes must be -1 to 2147483647/);
test(refuses, { CINDER_QUOTA_VOLUMES: '1.5' }, /quota_volumes must be a whole number/);
test(refuses, { CINDER_QUOTA_VOLUMES: '0x10' }, /quota_volumes must be a number/);
test(refuses, { CINDER_ENABLED_BACKENDS: 'a@b' }, /'a@b' must be 1 to 100 letters/);
test(refuses, { CINDER_ENABLED_BACKENDS: 'a,a' }, /names something twice/);
test(refuses, { CINDER_HOST: 'a#b' }, /host must be a host name without @ and #/);
test(
  refuses,
  { CINDER_MAX_OVER_SUBSCRIPTION_RATIO: '0.5' },
  /max_over_subscription_ratio must be 'auto', or a number of 1 or more/,
);
test(refuses, { CINDER_RPC_VERSION: 'cinder-scheduler=3' }, /must give cinder-scheduler a version like "3\.9"/);
test(
  refuses,
  { CINDER_RPC_PINS: 'cinder-backup=2.0' },
  /knows cinder-scheduler and cinder-volume, not 'cinder-backup'/,
);
test(refuses, { CINDER_INTERNAL_RPC_SECRET: 'short' }, /internal_rpc_secret must be at least 16 characters/);

/** Certificates of services, with an authority. */
function internalTls(ca: string): Record<string, string> {
  return {
    CINDER_INTERNAL_TLS_CERT_FILE: '/ic',
    CINDER_INTERNAL_TLS_KEY_FILE: '/ik',
    CINDER_INTERNAL_TLS_CA_FILE: ca,
  };
}

test('what passes in plain text beyond loopback is warned of at every start', (t) => {
  const beyond = {
    ...{ CINDER_API_LISTEN: '0.0.0.0:8776', CINDER_AUTH_STRATEGY: 'tokens', CINDER_AUTH_TOKENS_FILE: '/t' },
    ...{ CINDER_VOLUME_LISTEN: '0.0.0.0:8796', CINDER_INTERNAL_RPC_SECRET: '0123456789abcdef' },
  };
  const { warnings } = loadConfig({ ...nobody, environment: beyond });
  t.deepEqual(
    warnings.map((warning) => warning.split(':')[0]),
    [
      'api_listen is beyond loopback without tls_cert_file',
      'volume_listen is beyond loopback without internal_tls_cert_file',
    ],
  );
  const encrypted = { ...beyond, ...internalTls('/a'), CINDER_TLS_CERT_FILE: '/c', CINDER_TLS_KEY_FILE: '/k' };
  t.deepEqual(loadConfig({ ...nobody, environment: encrypted }).warnings, []);

  const warned = (more: Record<string, string>) =>
    loadConfig({ ...nobody, environment: more }).warnings.filter((warning) =>
      warning.startsWith('Redis is beyond loopback'),
    );
  t.is(warned({ CINDER_REDIS_URL: 'redis://:p@redis.example' }).length, 1);
  t.is(warned({ CINDER_REDIS_SENTINELS: '127.0.0.1:1,s2:1', CINDER_REDIS_PASSWORD: 'p' }).length, 1);
  t.deepEqual(warned({ CINDER_REDIS_URL: 'redis://:p@127.0.0.1' }), []);
  t.deepEqual(warned({ CINDER_REDIS_URL: 'rediss://:p@redis.example' }), []);
  t.deepEqual(warned({ CINDER_REDIS_URL: 'redis://redis.example' }), []);
});

const accepts = test.macro<[environment: Record<string, string>]>({
  exec: (t, environment: Record<string, string>) => t.deepEqual(problemsOf({ ...nobody, environment }), []),
  title: (_, environment) => `accepts ${spelled(environment)}`,
});
test(accepts, { CINDER_API_LISTEN: '127.8.9.1:0' });
test(accepts, { CINDER_API_LISTEN: '[::1]:8776' });
test(accepts, { CINDER_API_LISTEN: '0.0.0.0:8776', CINDER_AUTH_STRATEGY: 'tokens', CINDER_AUTH_TOKENS_FILE: '/t' });
test(accepts, { CINDER_VOLUME_LISTEN: '0.0.0.0:8796', CINDER_INTERNAL_RPC_SECRET: '0123456789abcdef' });
test(accepts, { CINDER_VOLUME_LISTEN: '0.0.0.0:8796', ...internalTls('/a') });
test(accepts, { CINDER_REDIS_SENTINELS: '10.0.0.1:26379,[::1]:26379', CINDER_REDIS_PASSWORD: 'p' });
test(accepts, { CINDER_REDIS_CLUSTER_NODES: 'r1:6379', CINDER_REDIS_TLS: 'true', CINDER_REDIS_TLS_CA_FILE: '/c' });
test(accepts, { CINDER_REDIS_URL: 'rediss://user:pass%2Fword@r:6379/1', CINDER_REDIS_TLS_CA_FILE: '/c' });

test('versions by binary come as text or as a table', async (t) => {
  const user = await userWithFile(t, '[rpc_pins]\ncinder-volume = "3.15"\n');

  const { config } = loadConfig({ ...user, flags: { rpc_version: 'cinder-scheduler=3.9, cinder-volume=3.15' } });

  t.deepEqual(config.rpcVersion, { 'cinder-scheduler': '3.9', 'cinder-volume': '3.15' });
  t.deepEqual(config.rpcPins, { 'cinder-volume': '3.15' });
});
