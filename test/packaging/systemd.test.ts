import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { SCHEMA } from '#src/config/schema.js';
import { Installation, until } from '../support/installation.js';
import { folderFor } from '../support/folder.js';
import { findTool, processFor, ROOT, type TestProcess } from '../support/process.js';

const UNITS = join(ROOT, 'packaging/systemd');
const UNIT = 'cinder-grpc@.service';
/** `serve` gives up this long after graceful_shutdown_timeout. */
const EXTRA_STOP_S = 10;

const systemdAnalyze = findTool('systemd-analyze');
const notifyTools = findTool('systemd-notify') !== undefined && findTool('python3') !== undefined;

/** Runs systemd-analyze; answers its exit code and all it wrote. */
async function analyzed(t: ExecutionContext, ...args: string[]): Promise<{ code: number | string; output: string }> {
  const run = processFor(t, systemdAnalyze ?? '', args, { env: { SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' } });
  const code = await run.ended();
  return { code, output: run.stdout() + run.stderr() };
}

/** The values of one directive, in order. */
async function valuesOf(directive: string): Promise<string[]> {
  const lines = (await readFile(join(UNITS, UNIT), 'utf8')).split('\n');
  return lines.filter((line) => line.startsWith(`${directive}=`)).map((line) => line.slice(directive.length + 1));
}

const ifAnalyze = systemdAnalyze === undefined ? test.skip : test; // hosts without systemd have nothing that reads units

for (const instance of ['all', 'api', 'scheduler', 'volume']) {
  ifAnalyze(`systemd finds nothing wrong with cinder-grpc@${instance}`, async (t) => {
    const folder = await folderFor(t);
    // the program is where a package manager puts it, which is not here
    const unit = (await readFile(join(UNITS, UNIT), 'utf8')).replace('/usr/bin/cinder-grpc', process.execPath);
    await writeFile(join(folder, UNIT), unit);
    const { code, output } = await analyzed(t, 'verify', join(folder, UNIT.replace('@', `@${instance}`)));
    t.deepEqual([code, output], [0, '']);
  });
}

ifAnalyze('the unit exposes less than 2 of 10 to a service that was broken into', async (t) => {
  const folder = await folderFor(t);
  await cp(join(UNITS, UNIT), join(folder, UNIT));
  const { code, output } = await analyzed(t, 'security', '--offline=true', '--threshold=20', join(folder, UNIT));
  t.is(code, 0, output);
  const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(output) ?? [];
  t.true(Number(exposure) < 2, output);
});

test('systemd waits for longer than a stop may take', async (t) => {
  const [stop = ''] = await valuesOf('TimeoutStopSec');
  const longest = Number(SCHEMA.gracefulShutdownTimeoutMs.defaultText) + EXTRA_STOP_S;
  t.true(Number.parseInt(stop, 10) >= longest + 10, `${stop} against ${longest} s`);
});

test('every variable of the unit and of its environment file is an option', async (t) => {
  const names: readonly string[] = Object.values(SCHEMA).map(({ name }) => `CINDER_${name.toUpperCase()}`);
  const text = (await valuesOf('Environment')).join(' ') + (await readFile(join(UNITS, 'cinder-grpc.env'), 'utf8'));
  const used = [...text.matchAll(/CINDER_[A-Z_]+(?==)/g)].map(([name]) => name);
  t.true(used.length > 5);
  t.deepEqual(
    used.filter((name) => !names.includes(name)),
    [],
  );
});

(notifyTools ? test : test.skip)('systemd is told of the start, of life, and of the stop, in that order', async (t) => {
  const installation = new Installation(t, await folderFor(t));
  const socket = join(installation.folder, 'notify.sock');
  const manager = await managerAt(t, socket);
  await installation.start(undefined, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' });
  const [, address] = await manager.wrote(/READY=1 STATUS=serving .*api (\S+)/);
  t.is(address, installation.address);
  await until(async () => ((manager.stdout().match(/WATCHDOG=1/g) ?? []).length >= 3 ? true : undefined), 'life signs');
  t.is(await installation.stop(), 0);
  await manager.wrote(/STOPPING=1/);
  // systemd-notify itself waits at a BARRIER until each of its messages was read
  const words = (manager.stdout().match(/[A-Z]+=1/g) ?? []).filter((word) => word !== 'BARRIER=1');
  t.deepEqual([...new Set(words)], ['READY=1', 'WATCHDOG=1', 'STOPPING=1']);
  t.notRegex(installation.process.stderr(), /could not be told/);
});

test('a service manager that cannot be told costs a warning, and nothing else', async (t) => {
  const installation = new Installation(t, await folderFor(t));
  await installation.start(undefined, { NOTIFY_SOCKET: join(installation.folder, 'nobody.sock') });
  await installation.process.wrote(/the service manager could not be told/);
  t.deepEqual(await installation.client().list(), []);
  t.is(await installation.stop(), 0);
});

/** Prints each datagram of a socket, one a line, as the manager would read it. */
async function managerAt(t: ExecutionContext, path: string): Promise<TestProcess> {
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(4096).decode().replace('\\n', ' '), flush=True)
`;
  const manager = processFor(t, findTool('python3') ?? '', ['-c', program, path]);
  await manager.wrote(/^bound/);
  return manager;
}
