import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { ServerCredentials } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';

import { Fault } from '#src/errors/fault.js';
import { cli, fakeApiFor, volume } from '../support/cli.js';
import { folderFor } from '../support/folder.js';
import { CLI, findTool, processFor } from '../support/process.js';

const ID = volume().id;

test('who calls comes from the environment where it is not said, and may be said before or after the command', async (t) => {
  const { address, seen } = await fakeApiFor(t, { getVolume: () => ({ volume: volume() }) });
  const environment = {
    CINDER_API: address,
    CINDER_PROJECT_ID: 'p',
    CINDER_USER_ID: 'u',
    CINDER_TOKEN: 'secret',
    CINDER_ROLES: 'admin,reader',
  };
  const show = ['volume', 'show', ID];

  await cli(show, { environment });
  await cli([...show, '--project', 'after'], { environment: { ...environment, CINDER_USER_ID: '' } });
  await cli(['--project', 'before', ...show], { environment });
  await cli(['--project', 'before', ...show, '--project', 'after'], { environment });

  const callers = seen.filter(({ method }) => method === 'GetVolume').map(({ metadata }) => metadata);
  t.like(callers[0], { 'x-project-id': 'p', 'x-user-id': 'u', 'x-auth-token': 'secret', 'x-roles': 'admin,reader' });
  t.deepEqual(
    callers.map((metadata) => metadata['x-project-id']),
    ['p', 'after', 'before', 'after'],
  );
  t.false('x-user-id' in (callers[1] ?? {}));
});

test('all requests of a command have one request id', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: () => ({ volumes: [volume()] }),
    deleteVolume: () => ({}),
  });

  await cli(['--api', address, 'volume', 'delete', 'first']);

  t.is(seen.length, 2);
  t.is(new Set(seen.map(({ metadata }) => metadata['x-openstack-request-id'])).size, 1);
});

test('where no API answers, the command says so and what to do', async (t) => {
  const { code, stdout, stderr } = await cli(['--api', '127.0.0.1:1', 'volume', 'list']);

  t.is(code, 1);
  t.is(stdout, '');
  t.regex(
    stderr,
    /^No API answers at 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1\.\nStart one with `cinder-grpc serve`, [^\n]*--api or CINDER_API\.\n\(UNAVAILABLE, request req-[0-9a-f-]{36}\)\n$/,
  );
});

test('a server that never answers is given up at --request-timeout', async (t) => {
  const silent = createServer((socket) => {
    t.teardown(() => socket.destroy());
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const address = `127.0.0.1:${(silent.address() as { port: number }).port}`;

  const { code, stderr } = await cli(['--api', address, 'volume', 'delete', ID, '--request-timeout', '1']);

  t.is(code, 1);
  t.regex(stderr, /did not answer in time\.\n\(DEADLINE_EXCEEDED, /);
  t.regex(stderr, /^Whether the request was carried out is not known\.\n/);
});

test('a caller that the API does not know is told what to say', async (t) => {
  const { address } = await fakeApiFor(t, {
    listVolumes: () => {
      throw new Fault('NotAuthenticated', { reason: 'The token is not known.' });
    },
  });

  const { code, stderr } = await cli(['--api', address, '--token', 'hunter2', 'volume', 'list']);

  t.is(code, 1);
  t.regex(stderr, /\nSay who calls: --token or CINDER_TOKEN; .*--project or CINDER_PROJECT_ID\.\n/);
  t.notRegex(stderr, /hunter2/);
});

test('an error that is worth another try says when', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => {
      throw new Fault('IdempotencyKeyInProgress', { key: 'k' });
    },
  });

  t.regex(
    (await cli(['--api', address, 'volume', 'create', '--size', '1'])).stderr,
    /\n\(IDEMPOTENCY_KEY_IN_PROGRESS, retry after 1 s, request req-/,
  );
});

test('what an error says cannot steer the terminal', async (t) => {
  const { address } = await fakeApiFor(t, {
    getVolume: () => {
      throw new Fault('VolumeNotFound', { volumeId: 'a\u001b[2Jb\nc' });
    },
  });

  const { stderr } = await cli(['--api', address, 'volume', 'show', ID]);

  t.true(stderr.includes('a\\u001b[2Jb\\nc'));
});

test('an empty answer is an error, not a crash', async (t) => {
  const { address } = await fakeApiFor(t, {
    getVolume: () => ({}),
    createVolume: () => ({}),
    getQuotaSet: () => ({}),
    getDefaultQuotaSet: () => ({}),
    getQuotaClassSet: () => ({}),
  });

  for (const command of [
    ['volume', 'show', ID],
    ['volume', 'create', '--size', '1'],
    ['quota', 'show'],
    ['quota', 'defaults'],
    ['quota', 'class', 'show'],
  ]) {
    const { code, stderr } = await cli(['--api', address, ...command]);
    t.is(code, 1);
    t.regex(stderr, /^The API answered without a /);
  }
});

const isMisunderstood = test.macro<[argv: readonly string[], words: RegExp]>({
  async exec(t, argv, words) {
    const { code, stdout, stderr } = await cli(argv, { environment: { CINDER_API: '127.0.0.1:1' } });
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, words);
  },
  title: (_, argv) => `\`${argv.join(' ')}\` is a mistake of usage`,
});
test(isMisunderstood, ['volum', 'list'], /unknown command 'volum'\n\(Did you mean volume\?\)/);
test(isMisunderstood, ['volume', 'creat'], /unknown command 'creat'\n\(Did you mean create\?\)/);
test(isMisunderstood, ['volume', 'list', '--lon'], /unknown option '--lon'\n\(Did you mean --long\?\)/);
test(isMisunderstood, ['volume', 'show'], /missing required argument 'volume'/);
test(isMisunderstood, ['volume'], /Usage: cinder-grpc volume/);
test(isMisunderstood, [], /Usage: cinder-grpc/);
test(isMisunderstood, ['volume', 'create', '--size', 'big'], /'big' is invalid\. It must be a whole number\./);
test(isMisunderstood, ['volume', 'create', '--property', 'x'], /key=value/);
test(isMisunderstood, ['volume', 'create', '--hint', 'colour=red'], /same_host, different_host, local_to_instance/);
test(isMisunderstood, ['volume', 'create', 'one', '--name', 'two'], /Give the name once/);
test(isMisunderstood, ['volume', 'create', '--wait', '--timeout', '0'], /It must be 1 or more/);
test(isMisunderstood, ['volume', 'create', '--wait', '--timeout', '99999'], /at most 86400, a day/);
test(isMisunderstood, ['volume', 'list', '--status', 'availabel'], /no such status; did you mean available\?/);
test(isMisunderstood, ['volume', 'list', '--created-since', 'yesterday'], /a time such as 2026-01-31/);
test(isMisunderstood, ['volume', 'list', '--bootable', '--non-bootable'], /cannot be used with option/);
test(isMisunderstood, ['volume', 'list', '-f', 'xml'], /Allowed choices are table, json, value, csv, yaml/);
test(isMisunderstood, ['volume', 'set', ID], /Say what to set/);
test(isMisunderstood, ['volume', 'unset', ID], /required option '--property <key>'/);
test(isMisunderstood, ['volume', 'delete', '--force', '--purge', ID], /cannot be used with option/);
test(isMisunderstood, ['volume', 'type', 'create', '--project', 'p', 'x'], /--project is for --private types/);
test(isMisunderstood, ['volume', 'type', 'set', 'x'], /Say what to set/);
test(isMisunderstood, ['volume', 'type', 'unset', 'x'], /Say what to unset/);
test(isMisunderstood, ['volume', 'type', 'list', '--public', '--private'], /cannot be used with option/);
test(isMisunderstood, ['service', 'set', 'h', 'b'], /Say --enable or --disable/);
test(isMisunderstood, ['service', 'set', '--disable-reason', 'x', 'h', 'b'], /needs --disable/);
test(isMisunderstood, ['quota', 'set', 'p'], /Say what to set/);
test(isMisunderstood, ['quota', 'set', '--volumes', '-2', 'p'], /-1 \(no limit\) or up to 2147483647/);
test(isMisunderstood, ['quota', 'set', '--volume-type', 'fast', 'p'], /needs --volumes, --gigabytes or --snapshots/);
test(isMisunderstood, ['quota', 'class', 'set', 'gold'], /Say what to set/);
test(isMisunderstood, ['--tls-cert-file', 'x', 'volume', 'list'], /both --tls-cert-file and --tls-key-file/);
test(isMisunderstood, ['serve', 'backup'], /Allowed choices are all, api, scheduler, volume/);
test(isMisunderstood, ['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/);

test('a certificate file that cannot be read, or is none, is named with its option', async (t) => {
  const folder = await folderFor(t);
  writeFileSync(join(folder, 'ca'), 'nothing');

  const missing = await cli(['--api', 'x:1', '--tls-ca-file', join(folder, 'none'), 'volume', 'list']);
  const wrong = await cli(['--api', 'x:1', '--tls-ca-file', join(folder, 'ca'), 'volume', 'list']);

  t.is(missing.code, 1);
  t.regex(missing.stderr, /^--tls-ca-file: ENOENT/);
  t.is(wrong.code, 1);
  t.regex(wrong.stderr, /^--tls-ca-file: .*\/ca is not PEM\.\n$/);
});

const OPENSSL = findTool('openssl');
const ifOpenssl = OPENSSL === undefined ? test.skip : test; // it makes the certificates

ifOpenssl(
  'a CA file makes it TLS, with a certificate of its own where it is given; plain text is refused',
  async (t) => {
    const files = await certificatesFor(t, OPENSSL ?? '');
    const pem = (name: string): Buffer => readFileSync(join(files, name));
    const { address, seen } = await fakeApiFor(
      t,
      { listVolumes: () => ({ volumes: [volume()] }) },
      ServerCredentials.createSsl(
        pem('ca.pem'),
        [{ cert_chain: pem('server.pem'), private_key: pem('server.key') }],
        true,
      ),
    );
    const list = ['volume', 'list', '-f', 'value', '-c', 'Name'];
    const refused = [...list, '--request-timeout', '1'];
    const environment = {
      CINDER_API: address,
      CINDER_TLS_CA_FILE: join(files, 'ca.pem'),
      CINDER_TLS_CLIENT_CERT_FILE: join(files, 'client.pem'),
      CINDER_TLS_CLIENT_KEY_FILE: join(files, 'client.key'),
    };
    const flags = [
      ...['--api', address, '--tls-ca-file', join(files, 'ca.pem'), '--tls-cert-file', join(files, 'client.pem')],
      ...['--tls-key-file', join(files, 'client.key'), '--tls-server-name', 'api.test'],
    ];

    t.is((await cli([...list, '--tls-server-name', 'api.test'], { environment })).stdout, 'first\n');
    t.is((await cli([...list, ...flags])).stdout, 'first\n');
    t.is(seen.length, 2);

    const plain = await cli(['--api', address, ...refused]);
    const stranger = await cli([...refused, '--api', address, '--tls', '--tls-server-name', 'api.test']);
    const otherName = await cli([...refused, '--tls-server-name', 'other.test'], { environment });
    t.deepEqual([plain.code, stranger.code, otherName.code], [1, 1, 1]);
    t.is(seen.length, 2);
  },
);

test('a reader that leaves early does not make the command fail, and is no reason to say anything', async (t) => {
  const volumes = Array.from({ length: 1_000 }, () => volume({ name: 'x'.repeat(250) }));
  const { address } = await fakeApiFor(t, { listVolumes: () => ({ volumes }) });
  const pipe = `"$0" "$1" --api ${address} volume list -f value -c Name | head -n 1; echo "\${PIPESTATUS[0]}"`;

  const shell = processFor(t, 'bash', ['-c', pipe, process.execPath, CLI]);

  t.is(await shell.ended(), 0);
  t.is(shell.stdout(), `${'x'.repeat(250)}\n0\n`);
  t.is(shell.stderr(), '');
});

/** ca, server (api.test) and client, made for this test. */
async function certificatesFor(t: ExecutionContext, openssl: string): Promise<string> {
  const folder = await folderFor(t);
  const run = (...args: string[]): void => void execFileSync(openssl, args, { cwd: folder, stdio: 'pipe' });
  const key = (name: string): string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`];
  run('req', '-x509', ...key('ca'), '-out', 'ca.pem', '-days', '2', '-subj', '/CN=ca.test');
  for (const [name, host] of [
    ['server', 'api.test'],
    ['client', 'client.test'],
  ] as const) {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=DNS:${host}`);
    run('req', ...key(name), '-out', `${name}.csr`, '-subj', `/CN=${host}`);
    run(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-out', `${name}.pem`, '-days', '2', '-extfile', `${name}.ext`],
    );
  }
  return folder;
}
