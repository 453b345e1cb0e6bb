import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { removeFolder } from './folder.js';

const START_DEADLINE_MS = 30_000;

/** A private server: a unix socket in a temporary folder, no TCP, an own user where the tests run as root. */
export class PostgresServer {
  readonly #bin: string;
  readonly #folder: string;
  readonly #user: { readonly uid?: number; readonly gid?: number };
  #isPaused = false;
  #child: ChildProcess | undefined;
  #databases = 0;

  private constructor(bin: string, folder: string, user: { readonly uid?: number; readonly gid?: number }) {
    this.#bin = bin;
    this.#folder = folder;
    this.#user = user;
  }

  static async start(): Promise<PostgresServer> {
    const bin = findBinaries();
    if (bin === undefined) throw new Error('PostgreSQL is not installed');
    const folder = await mkdtemp(join(tmpdir(), 'cinder-pg-'));
    try {
      const user = unprivileged();
      if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid);
      const options = ['-U', 'cinder', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
      execFileSync(join(bin, 'initdb'), ['-D', join(folder, 'data'), ...options], {
        ...user,
        cwd: folder,
        stdio: 'pipe',
      });
      const server = new PostgresServer(bin, folder, user);
      await server.start();
      return server;
    } catch (error) {
      await removeFolder(folder);
      throw error;
    }
  }

  /** Where it listens. */
  get socket(): string {
    return join(this.#folder, '.s.PGSQL.5432');
  }

  url(database: string): string {
    return `postgres://cinder@/${database}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** Starts the server on the data it has and waits until it answers. */
  async start(): Promise<void> {
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${this.#folder}`,
      'fsync=off',
      'max_connections=200',
    ];
    // a pipe from this process: the shell sees its end even when the tests are killed, and then leaves nothing behind
    const script =
      '"$@" & pid=$!; read -r word signal; kill -"${signal:-INT}" $pid; wait $pid; [ "$word" = keep ] || rm -rf "$FOLDER"';
    const postgres = [
      join(this.#bin, 'postgres'),
      '-D',
      join(this.#folder, 'data'),
      ...settings.flatMap((s) => ['-c', s]),
    ];
    this.#child = spawn('sh', ['-c', script, 'sh', ...postgres], {
      ...this.#user,
      cwd: this.#folder,
      env: { ...process.env, FOLDER: this.#folder },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!(await this.#answers())) {
      if (Date.now() > deadline) throw new Error('PostgreSQL did not start');
      await delay(50);
    }
  }

  /** Stops the server, to be started again; connections are broken off. */
  async stop(): Promise<void> {
    await this.#end('keep\n');
  }

  /** Ends the server as a crash does: nothing is finished, and the next start replays its log. */
  async crash(): Promise<void> {
    await this.#end('keep QUIT\n');
  }

  /** Stops every process of the server where it is: nobody is answered, and no connection ends. */
  pause(): void {
    this.#isPaused = true;
    const postmaster = this.#postmaster();
    // it starts no others once it is stopped; each of them is in a process group of its own
    process.kill(postmaster, 'SIGSTOP');
    for (const pid of childrenOf(postmaster)) process.kill(pid, 'SIGSTOP');
  }

  resume(): void {
    this.#isPaused = false;
    const postmaster = this.#postmaster();
    // as long as it stands still none of them is gone, whatever it has ended of
    for (const pid of childrenOf(postmaster)) process.kill(pid, 'SIGCONT');
    process.kill(postmaster, 'SIGCONT');
  }

  #postmaster(): number {
    return Number(readFileSync(join(this.#folder, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  }

  async destroy(): Promise<void> {
    await this.#end('');
    await removeFolder(this.#folder);
  }

  async #end(word: string): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null) return;
    // who stands still does not hear that it shall end
    if (this.#isPaused) this.resume();
    const exit = once(child, 'exit');
    child.stdin?.end(word);
    await exit;
  }

  /** Makes a database as a copy of another. Answers its name. */
  async createDatabase(template: string, name = `test_${++this.#databases}`): Promise<string> {
    await this.#admin(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    return name;
  }

  /** Lets this server, with all its databases, be read only, or no more. */
  async setReadOnly(isReadOnly: boolean): Promise<void> {
    await this.#admin(`ALTER SYSTEM SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`);
    await this.#admin('SELECT pg_reload_conf()');
  }

  async dropDatabase(name: string): Promise<void> {
    await this.#admin(`DROP DATABASE ${name} WITH (FORCE)`);
  }

  async #admin(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url('postgres') });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#admin('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }
}

/** Whether PostgreSQL's programs were found on this machine. */
export const hasPostgres = findBinaries() !== undefined;

/** The folder of PostgreSQL's programs: on PATH, or where Debian keeps them. */
function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

function childrenOf(pid: number): readonly number[] {
  const pids = execFileSync('ps', ['--ppid', `${pid}`, '-o', 'pid='], { encoding: 'utf8' });
  return pids.trim().split(/\s+/).map(Number);
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string, user: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', user), gid: id('-g', user) };
    } catch {
      continue; // no such user here
    }
  }
  throw new Error('no user to run PostgreSQL as');
}
