import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Client } from '../support/installation.js';
import { folderFor, removeFolder } from '../support/folder.js';
import { processFor, ROOT, type TestProcess } from '../support/process.js';
import { REDIS_SERVER, redisUrlFor } from '../support/redis.js';

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
/** An install has packages to read and, on a new machine, to fetch. */
const INSTALL_MS = 110_000;

let folder = '';
let packed: Packed | undefined;

test.before('the package is made and installed in an empty folder', async (t) => {
  t.timeout(INSTALL_MS + 10_000);
  folder = await mkdtemp(join(tmpdir(), 'cinder-grpc-package-'));
  // what it is made of was compiled before the tests began
  [packed] = JSON.parse(npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder)) as [Packed];
  npm(folder, 'init', '--yes');
  npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.filename));
  // as a package manager of the machine leaves it: readable by all, written by nobody
  execFileSync('chmod', ['-R', 'a+rX,a-w', folder]);
});

test.after.always('the folder is gone', async () => {
  execFileSync('chmod', ['-R', 'u+w', folder]);
  await removeFolder(folder);
});

test('the package has what it runs on, and nothing else', (t) => {
  const paths = packed?.files.map(({ path }) => path) ?? [];
  const wanted = [
    ...['dist/cli/main.js', 'dist/main/serve.js', 'dist/descriptors.binpb', 'scripts/redis/quota/reserve.lua'],
    ...['proto/cinder/api/v3/volumes.proto', 'third_party/proto/google/LICENSE', 'scripts/install-redis.mjs'],
    ...['LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs/operating.md', 'docs/packaging.md'],
    ...['packaging/systemd/cinder-grpc@.service', 'packaging/container/compose.yaml'],
  ];
  t.deepEqual(
    wanted.filter((path) => !paths.includes(path)),
    [],
  );
  const folders = /^(dist|proto|third_party|scripts|packaging|docs|examples)\//;
  const loose = paths.filter((path) => !folders.test(path)).sort();
  t.deepEqual(loose, ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']);
  const foreign = /(^|\/)(test|bench|build|node_modules)\/|\.(map|tsbuildinfo|tgz)$|secrets\/|(?<!\.d)\.ts$/;
  t.deepEqual(
    paths.filter((path) => foreign.test(path) && !path.startsWith('examples/')),
    [],
  );
  t.true((packed?.unpackedSize ?? Infinity) < 8 * 1_048_576, `${packed?.unpackedSize} bytes`);
  t.is(statSync(join(folder, 'node_modules/cinder-grpc/dist/cli/main.js')).mode & 0o111, 0o111);
});

test('it is built anew before it is packed', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { prepack: string } };
  t.is(scripts.prepack, 'node scripts/build.mjs');
});

test('npx runs the installed program, which says its version', async (t) => {
  const npx = processFor(t, 'npx', ['--no-install', 'cinder-grpc', '--version'], { cwd: folder });
  t.is(await npx.ended(), 0, npx.stderr());
  t.is(npx.stdout(), `${version}\n`);
});

test('the installed program serves: a volume is made and deleted, and the program stops in good order', async (t) => {
  const server = processFor(t, join(folder, 'node_modules/.bin/cinder-grpc'), ['serve'], {
    cwd: folder,
    env: { ...listening(await folderFor(t)), CINDER_REDIS_SERVER: REDIS_SERVER },
  });
  await lifeOfAVolume(t, server);
});

test('it runs where nothing of it can be written, as a user without a home', async (t) => {
  const data = await folderFor(t);
  const isRoot = process.getuid?.() === 0;
  const nobody = isRoot ? { uid: 65_534, gid: 65_534 } : {};
  if (isRoot) execFileSync('chown', ['65534:65534', data]);
  const env = { ...listening(data), CINDER_REDIS_URL: await redisUrlFor(t), HOME: '/nonexistent', XDG_STATE_HOME: '' };
  const server = processFor(t, process.execPath, [join(folder, 'node_modules/cinder-grpc/dist/cli/main.js'), 'serve'], {
    ...nobody,
    cwd: '/',
    env,
  });
  await lifeOfAVolume(t, server);
});

test('without a redis-server it says what to do, in a sentence', async (t) => {
  const bin = join(await folderFor(t), 'bin');
  mkdirSync(bin);
  for (const program of ['sh', 'flock']) execFileSync('ln', ['-s', `/usr/bin/${program}`, join(bin, program)]);
  chmodSync(bin, 0o755);
  const server = processFor(t, process.execPath, [join(folder, 'node_modules/cinder-grpc/dist/cli/main.js'), 'serve'], {
    env: { ...listening(await folderFor(t)), PATH: bin },
  });
  t.is(await server.ended(), 1);
  t.regex(server.stderr(), /There is no redis-server.*apt-get install redis-server.*CINDER_REDIS_URL/);
  t.notRegex(server.stderr(), /\n {4}at /, 'a sentence, not a stack');
});

function listening(dataDir: string): Record<string, string> {
  const names = ['API', 'SCHEDULER', 'VOLUME', 'METRICS'];
  const addresses = names.map((name) => [`CINDER_${name}_LISTEN`, '127.0.0.1:0']);
  return { CINDER_DATA_DIR: dataDir, ...(Object.fromEntries(addresses) as Record<string, string>) };
}

async function lifeOfAVolume(t: ExecutionContext, server: TestProcess): Promise<void> {
  const [, address = ''] = await server.wrote(/answers at (127\.0\.0\.1:\d+)/);
  const client = new Client(address, 'demo', 'member');
  t.teardown(() => client.close());
  const { id } = await client.create();
  await client.available(id);
  await client.delete(id);
  await client.gone(id);
  server.child.kill('SIGTERM');
  t.is(await server.ended(), 0, server.stderr());
}

/** Runs npm; answers what it printed. */
function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', [...args, '--loglevel', 'error'], {
    cwd,
    encoding: 'utf8',
    timeout: INSTALL_MS,
    stdio: 'pipe',
  });
}
