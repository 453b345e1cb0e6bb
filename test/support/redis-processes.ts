import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { deadlineIn, within } from '#src/time/deadline.js';
import { eventually } from './eventually.js';
import { folderFor } from './folder.js';
import { freePort } from './free-port.js';
import type { Lifetime } from './lifetime.js';
import { REDIS_SERVER } from './redis-program.js';

/** A `redis-server` of this test's own that can be killed, stopped in its tracks and started again on what it has. */
export interface RedisProcess {
  readonly port: number;
  /** 0: it speaks no TLS. */
  readonly tlsPort: number;
  readonly folder: string;
  /** As the default user, for what tests do to it. */
  readonly admin: Redis;
  start(settings?: readonly string[]): Promise<void>;
  /** As a power cut does. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

/** Whether the program was built to speak TLS: else it does not know the setting that comes first. */
export const hasTls = knowsTls();

/** Settings by name, e.g. `{ 'min-replicas-to-write': 1 }`. */
export type Settings = Readonly<Record<string, string | number>>;

/** Starts a server on a port, and on another for TLS if it is to speak that. */
export async function redisProcessFor(
  t: Lifetime,
  settings: Settings = {},
  { isTls = false } = {},
): Promise<RedisProcess> {
  const [folder, port, tlsPort] = [await folderFor(t), await freePort(), isTls ? await freePort() : 0];
  const auth = { ...(settings['requirepass'] !== undefined && { password: String(settings['requirepass']) }) };
  const server = new Server(
    port,
    folder,
    argumentsOf({ ...QUIET, dir: folder, port, ...(isTls && { 'tls-port': tlsPort }), ...settings }),
    auth,
    tlsPort,
  );
  t.teardown(() => server.close());
  await server.start();
  return server;
}

/** Starts a Sentinel that watches a primary as `mymaster` and fails over by itself, after half a second. */
export async function sentinelFor(
  t: ExecutionContext,
  primary: RedisProcess,
  passwords: { readonly own: string; readonly servers: string },
): Promise<RedisProcess> {
  const [folder, port] = [await folderFor(t), await freePort()];
  const file = join(folder, 'sentinel.conf');
  await writeFile(
    file,
    [
      `port ${port}`,
      `dir ${folder}`,
      'bind 127.0.0.1',
      `requirepass ${passwords.own}`,
      `sentinel monitor mymaster 127.0.0.1 ${primary.port} 1`,
      `sentinel auth-pass mymaster ${passwords.servers}`,
      'sentinel down-after-milliseconds mymaster 500',
      'sentinel failover-timeout mymaster 5000',
    ].join('\n'),
  );
  const sentinel = new Server(port, folder, [file, '--sentinel'], { password: passwords.own });
  t.teardown(() => sentinel.close());
  await sentinel.start();
  return sentinel;
}

/** The primaries of a cluster, a third of the slots each, and replicas of the first. */
export async function clusterFor(
  t: ExecutionContext,
  {
    replicas = 0,
    settings = {},
    isTls = false,
  }: { readonly replicas?: number; readonly settings?: Settings; readonly isTls?: boolean } = {},
): Promise<readonly RedisProcess[]> {
  const nodes = await Promise.all(
    Array.from({ length: 3 + replicas }, async () =>
      redisProcessFor(
        t,
        {
          ...{ 'cluster-enabled': 'yes', 'cluster-port': await freePort(), 'cluster-node-timeout': 1_000 },
          ...{ 'cluster-config-file': 'nodes.conf', 'cluster-require-full-coverage': 'no', ...settings },
        },
        { isTls },
      ),
    ),
  );
  const [first, second, third, ...others] = nodes;
  if (!first || !second || !third) throw new Error('a cluster has three primaries');
  await first.admin.cluster('ADDSLOTSRANGE', 0, 5_460);
  await second.admin.cluster('ADDSLOTSRANGE', 5_461, 10_922);
  await third.admin.cluster('ADDSLOTSRANGE', 10_923, 16_383);
  for (const [index, node] of nodes.entries()) await node.admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  for (const node of nodes.slice(1)) {
    const [, bus = ''] = await node.admin.config('GET', 'cluster-port');
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', isTls ? node.tlsPort : node.port, bus);
  }
  await eventually('the nodes know each other', async () => {
    const infos = await Promise.all(nodes.map(({ admin }) => admin.cluster('INFO')));
    return infos.every((info) => info.includes('cluster_state:ok') && info.includes(`known_nodes:${nodes.length}`));
  });
  const id = await idOf(first);
  for (const replica of others) await replica.admin.cluster('REPLICATE', id);
  await eventually('the replicas have caught up', async () => {
    const infos = await Promise.all(others.map(({ admin }) => admin.info('replication')));
    return infos.every((info) => info.includes('master_link_status:up'));
  });
  return nodes;
}

/** A node's name in its cluster. */
export async function idOf({ admin }: RedisProcess): Promise<string> {
  return await admin.cluster('MYID');
}

/** Moves a slot and its keys, as `redis-cli --cluster reshard` does. `onItsWay`: called when both sides redirect. */
export async function moveSlot(
  slot: number,
  [from, to]: readonly [RedisProcess, RedisProcess],
  all: readonly RedisProcess[],
  onItsWay: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const [fromId, toId] = [await idOf(from), await idOf(to)];
  await to.admin.cluster('SETSLOT', slot, 'IMPORTING', fromId);
  await from.admin.cluster('SETSLOT', slot, 'MIGRATING', toId);
  await onItsWay();
  for (;;) {
    const keys = await from.admin.cluster('GETKEYSINSLOT', slot, 100);
    if (keys.length === 0) break;
    await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
  }
  const others = all.filter((node) => node !== from && node !== to);
  for (const node of [to, from, ...others]) await node.admin.cluster('SETSLOT', slot, 'NODE', toId);
}

const START_TIMEOUT_MS = 30_000; // some are made to load their data slowly
const QUIET = {
  ...{ bind: '127.0.0.1', save: '', appendonly: 'no', 'enable-debug-command': 'yes', 'repl-diskless-sync-delay': 0 },
  ...{ 'always-show-logo': 'no', 'maxmemory-policy': 'noeviction' },
};

// a pipe from this process: the shell sees its end even when the tests are killed, and then leaves nothing behind
const SUPERVISOR =
  '"$@" </dev/null >/dev/null 2>&1 & pid=$!; echo $pid; read -r _; kill -KILL $pid 2>/dev/null; wait $pid';

function knowsTls(): boolean {
  try {
    execFileSync(REDIS_SERVER, ['--tls-port', '0', '--no-such-setting', '0'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return String(error).includes(">>> 'no-such-setting"); // the first that it does not know
  }
}

class Server implements RedisProcess {
  readonly port: number;
  readonly tlsPort: number;
  readonly folder: string;
  readonly admin: Redis;
  readonly #arguments: readonly string[];
  #shell: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #pid = 0;

  constructor(
    port: number,
    folder: string,
    args: readonly string[],
    auth: { readonly password?: string },
    tlsPort = 0,
  ) {
    this.tlsPort = tlsPort;
    this.port = port;
    this.folder = folder;
    this.#arguments = args;
    const retryStrategy = (): number => 20;
    this.admin = new Redis({ port, ...auth, lazyConnect: true, retryStrategy, maxRetriesPerRequest: null });
    this.admin.on('error', () => undefined);
  }

  async start(settings: readonly string[] = []): Promise<void> {
    const args = ['-c', SUPERVISOR, 'sh', REDIS_SERVER, ...this.#arguments, ...settings];
    const shell = spawn('/bin/sh', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    this.#shell = shell;
    shell.stdin.on('error', () => undefined);
    const [pid] = (await once(shell.stdout, 'data')) as [Buffer];
    this.#pid = Number(pid.toString());
    const answer = await within(this.admin.ping(), deadlineIn(START_TIMEOUT_MS));
    if (answer !== 'PONG') throw new Error(`no server answers at port ${this.port}: ${args.join(' ')}`);
  }

  async kill(): Promise<void> {
    const shell = this.#shell;
    this.#shell = undefined;
    if (!shell) return;
    const ended = once(shell, 'close');
    shell.stdin.end();
    await ended;
  }

  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  async close(): Promise<void> {
    this.admin.disconnect();
    await this.kill();
  }
}

function argumentsOf(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
