import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../log/log.js';
import { type Deadline, deadlineIn, isOver, pause } from '../time/deadline.js';

/** How a private Redis is run. */
export interface PrivateServerOptions {
  /** Folder for its append-only file; made if absent. One server at a time works in it. */
  readonly dir: string;
  /** `redis-server`, a path of it, or of a wrapper. */
  readonly command: string;
  /** @default the process's own */
  readonly env?: NodeJS.ProcessEnv;
  /** How long it may take until it answers, ms. @default 10000 */
  readonly readyTimeoutMs?: number;
  /** How long it may take to stop before it is killed, ms. @default 10000 */
  readonly stopTimeoutMs?: number;
  /** Further settings, e.g. `['--hz', '100']`. They come last and win. @default none */
  readonly settings?: readonly string[];
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}

/** Longest path of a unix socket: `sockaddr_un` has 108 bytes, one for the end. */
const MAX_SOCKET_PATH = 107;
const MAX_OUTPUT = 4_096;
/** A shell's exit code for a program that is nowhere. */
const NOT_FOUND = 127;
const MAX_RESTART_PAUSE_MS = 5_000;

/**
 * Runs the server and ends it when the pipe on stdin closes, which happens also when the parent is killed with SIGKILL.
 * The lock is inherited by the server: the next one waits until the last one is really gone.
 */
const SUPERVISOR = `
exec 3<&0 9>"$1" || exit 70
shift
flock -w 10 9 || { echo 'another redis-server still works in this folder' >&2; exit 75; }
echo locked
"$@" 3<&- </dev/null &
server=$!
( read -r _ <&3; kill -TERM "$server" 2>/dev/null ) 9>&- >/dev/null 2>&1 &
watcher=$!
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

type Supervisor = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts a Redis of our own and waits until it answers. Throws with its last output when it does not. */
export async function startPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const wanted = join(options.dir, 'redis.sock');
  const socketDir =
    Buffer.byteLength(wanted) > MAX_SOCKET_PATH ? await mkdtemp(join(tmpdir(), 'cinder-redis-')) : undefined;
  const server = new PrivateServer(
    options,
    socketDir === undefined ? wanted : join(socketDir, 'redis.sock'),
    socketDir,
  );
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * A Redis that belongs to this process: reachable by a unix socket only, durable, without eviction. It is started again
 * when it dies alone, ends with this process however that ends, and does not see the terminal's Ctrl-C.
 */
export class PrivateServer {
  readonly #options: PrivateServerOptions;
  readonly #socketDir: string | undefined;
  #child: Supervisor | undefined;
  #exited: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #output = '';

  constructor(
    options: PrivateServerOptions,
    /** Path of the unix socket: the `url` for `connectRedis`. */
    readonly socket: string,
    socketDir?: string,
  ) {
    this.#options = options;
    this.#socketDir = socketDir;
  }

  async start(): Promise<void> {
    const deadline = deadlineIn(this.#options.readyTimeoutMs ?? 10_000, this.#stopping.signal);
    const child = this.#spawn();
    await this.#ready(child, deadline);
    void this.#exited.then(() => this.#restart());
  }

  /** Ends the server as SHUTDOWN does and waits for it. Safe to repeat. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child) {
      child.stdin.end();
      const killer = setTimeout(() => killGroup(child), this.#options.stopTimeoutMs ?? 10_000);
      await this.#exited;
      clearTimeout(killer);
    }
    if (this.#socketDir !== undefined) await rm(this.#socketDir, { recursive: true, force: true });
  }

  #spawn(): Supervisor {
    const { dir, command, env } = this.#options;
    const args = ['-c', SUPERVISOR, 'cinder-redis', join(dir, 'lock'), command, ...settings(dir, this.socket)];
    // detached: a session of its own, which the terminal's signals do not reach
    const child = spawn('/bin/sh', [...args, ...(this.#options.settings ?? [])], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      ...(env ? { env } : {}),
    });
    this.#child = child;
    this.#output = '';
    const keep = (text: string) => (this.#output = (this.#output + text).slice(-MAX_OUTPUT));
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.stdin.on('error', () => undefined); // the supervisor is gone: seen by its exit
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        keep(error.message);
        resolve();
      });
      child.once('close', () => resolve());
    });
    return child;
  }

  async #ready(child: Supervisor, deadline: Deadline): Promise<void> {
    while (!isOver(deadline)) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) break;
      // before that line the socket may still be the former server's
      if (this.#output.startsWith('locked') && (await answersPing(this.socket))) return;
      await pause(10, deadline);
    }
    const hasEnded = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    if (hasEnded) await this.#exited; // its last words come after its end
    const { command, dir } = this.#options;
    if (child.exitCode === NOT_FOUND) {
      throw new Error(
        `There is no ${command} to run as private Redis. Install one (apt-get install redis-server), name one ` +
          `(CINDER_REDIS_SERVER), or set CINDER_REDIS_URL to a Redis of yours.`,
      );
    }
    throw new Error(`${command} did not start in ${dir}: ${this.#output.trim()}`);
  }

  async #restart(): Promise<void> {
    const { log, dir } = this.#options;
    const forever: Deadline = { at: Infinity, signal: this.#stopping.signal };
    for (let attempt = 0; !isOver(forever); attempt += 1) {
      log.error('the private redis-server died and is started again', { dir, attempt, output: this.#output.trim() });
      await pause(Math.min(100 * 2 ** attempt, MAX_RESTART_PAUSE_MS), forever);
      if (isOver(forever)) return;
      try {
        await this.start();
        return;
      } catch {
        this.#child?.stdin.end();
        if (this.#child) killGroup(this.#child);
        await this.#exited;
      }
    }
  }
}

function settings(dir: string, socket: string): string[] {
  return [
    ...['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', dir],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--maxmemory-policy', 'noeviction'],
    ...['--daemonize', 'no', '--always-show-logo', 'no'],
  ];
}

function killGroup(child: Supervisor): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // gone in the meantime
  }
}

/** Whether a server on the socket answers PING with PONG (and not that it is loading). */
async function answersPing(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (pong: boolean) => {
      socket.destroy();
      resolve(pong);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (reply) => end(reply.toString().startsWith('+PONG')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
