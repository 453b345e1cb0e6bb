// usage: npm run setup:test    brings the programs that some tests need, each only where it is missing

import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { cacheFolder } from './cache.mjs';
import { libraryPath, unpackPackages } from './debian.mjs';
import { redisServer } from './install-redis.mjs';
import { findProgram, run } from './run.mjs';

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3';
const PYTHON_PACKAGES = ['grpcio==1.76.0', 'grpcio-tools==1.76.0'];

const say = (line) => console.log(line);
const cache = cacheFolder(process.env);
const bin = join(cache, 'bin');
const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', PATH: [bin, process.env.PATH].join(delimiter) };

/** What tests use beside Node: where it is, and how it comes. */
const TOOLS = [
  {
    name: 'redis-server',
    find: () => findProgram('redis-server', env.PATH),
    bring: () => redisServer({ env, say }),
  },
  { name: 'postgres', find: () => findProgram('postgres', env.PATH) ?? debianPostgres('/'), bring: bringPostgres },
  { name: 'python3 with grpcio', find: () => existing(join(cache, 'python/bin/python3')), bring: bringPython },
  {
    name: 'systemd-analyze, systemd-notify',
    find: () => findProgram('systemd-notify', env.PATH) && findProgram('systemd-analyze', env.PATH),
    bring: bringSystemd,
  },
  { name: 'grpcurl', find: () => findProgram('grpcurl', env.PATH), bring: bringGrpcurl },
  { name: 'mkfs.xfs', find: () => findProgram('mkfs.xfs', env.PATH), bring: bringXfs },
  { name: 'with-clock', find: () => findProgram('with-clock', env.PATH), bring: bringWithClock },
  { name: 'promtool', find: () => findProgram('promtool', env.PATH), bring: bringPromtool },
];

mkdirSync(bin, { recursive: true });
let missing = 0;
for (const { name, find, bring } of TOOLS) {
  let why = '';
  if (find() === undefined) {
    say(`bringing ${name}`);
    await bring().catch((error) => (why = error.message));
  }
  const path = find();
  if (path === undefined) missing++;
  say(`${name}: ${path ?? `missing; the tests that need it are skipped. ${why}`}`);
}
process.exitCode = missing > 0 ? 1 : 0;

/** Root's tests run PostgreSQL as another user, who cannot read root's cache: root installs, everybody else unpacks. */
async function bringPostgres() {
  if (process.getuid?.() === 0) return aptInstall(['postgresql']);
  const folder = join(cache, 'postgresql');
  if (!existsSync(folder)) await unpackPackages(['postgresql'], folder, { env, say });
  const programs = debianPostgres(folder);
  if (programs === undefined) throw new Error('The unpacked packages hold no postgres.');
  for (const program of ['postgres', 'initdb', 'pg_ctl']) {
    const target = programs.replace(/postgres$/, program);
    writeWrapper(program, target, libraryPath(folder));
  }
}

/** A script on the tests' PATH that starts an unpacked program with the libraries unpacked beside it. */
function writeWrapper(program, target, libraries) {
  const script = `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec '${target}' "$@"\n`;
  writeFileSync(join(bin, program), script, { mode: 0o755 });
}

/** Debian keeps PostgreSQL's programs off the PATH. */
function debianPostgres(root) {
  const folder = join(root, 'usr/lib/postgresql');
  if (!existsSync(folder)) return undefined;
  const versions = readdirSync(folder).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(folder, version, 'bin/postgres')).find(existsSync);
}

/** Its programs only: none of them needs systemd to run the machine. */
async function bringSystemd() {
  if (process.getuid?.() === 0) return aptInstall(['systemd']);
  const folder = join(cache, 'systemd');
  if (!existsSync(folder)) await unpackPackages(['systemd'], folder, { env, say });
  const own = readdirSync(join(folder, 'usr/lib')).map((name) => join(folder, 'usr/lib', name, 'systemd'));
  const libraries = [libraryPath(folder), join(folder, 'usr/lib/systemd'), ...own].join(':');
  for (const program of ['systemd-analyze', 'systemd-notify'])
    writeWrapper(program, join(folder, 'usr/bin', program), libraries);
}

async function bringPython() {
  const python = findProgram('python3', env.PATH);
  if (python === undefined) await aptInstall(['python3', 'python3-venv']);
  const folder = join(cache, 'python');
  await run(python ?? 'python3', ['-m', 'venv', '--clear', folder], { env });
  await run(join(folder, 'bin/python3'), ['-m', 'pip', 'install', '--quiet', ...PYTHON_PACKAGES], { env });
}

/** For a file system with reflinks. */
async function bringXfs() {
  const folder = join(cache, 'xfsprogs');
  if (!existsSync(folder)) await unpackPackages(['xfsprogs'], folder, { env, say });
  const program = ['sbin', 'usr/sbin'].map((sbin) => join(folder, sbin, 'mkfs.xfs')).find(existsSync);
  if (program === undefined) throw new Error('The unpacked package holds no mkfs.xfs.');
  writeFileSync(join(bin, 'mkfs.xfs'), `#!/bin/sh\nLD_LIBRARY_PATH='${libraryPath(folder)}' exec '${program}' "$@"\n`, {
    mode: 0o755,
  });
}

/**
 * `with-clock +300 PROGRAM …` runs a program whose clock is so many seconds ahead; its monotonic clock is right. Debian's own
 * `faketime` would stand between the program and its signals.
 */
async function bringWithClock() {
  const folder = join(cache, 'libfaketime');
  if (!existsSync(folder)) await unpackPackages(['libfaketime'], folder, { env, say, alone: true });
  const libraries = readdirSync(join(folder, 'usr/lib')).map((name) =>
    join(folder, 'usr/lib', name, 'faketime/libfaketime.so.1'),
  );
  const library = libraries.find(existsSync);
  if (library === undefined) throw new Error('The unpacked package holds no libfaketime.');
  const script = `#!/bin/sh
export FAKETIME="$1" FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 LD_PRELOAD='${library}'
shift
exec "$@"
`;
  writeFileSync(join(bin, 'with-clock'), script, { mode: 0o755 });
}

async function bringGrpcurl() {
  const go = [findProgram('go', env.PATH), '/usr/local/go/bin/go', '/usr/lib/go/bin/go'].find(
    (path) => path !== undefined && existsSync(path),
  );
  if (go === undefined) throw new Error('It is built with Go, and there is none.');
  await run(go, ['install', GRPCURL], { env: { ...env, GOBIN: bin, GOFLAGS: '-trimpath' } });
}

/** Debian has it in the package of the server, which is not installed: one program of it is wanted, and it needs nothing. */
async function bringPromtool() {
  const folder = join(cache, 'prometheus');
  if (!existsSync(folder)) await unpackPackages(['prometheus'], folder, { env, say, alone: true });
  symlinkSync(join(folder, 'usr/bin/promtool'), join(bin, 'promtool'));
}

async function aptInstall(packages) {
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
  await run('apt-get', install, { env }).catch(async () => {
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', install, { env });
  });
}

function existing(path) {
  return existsSync(path) ? path : undefined;
}
