import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '../../support/cluster.js';
import type { Lifetime } from '../../support/lifetime.js';
import { processFor, type TestProcess } from '../../support/process.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { HIT, type Order, type ToParent, type ToServer, UNKNOWN } from './server-messages.js';

const SERVER = fileURLToPath(new URL('./server.js', import.meta.url));
/** As a supervisor of services waits before it starts one again. */
const RESTART_PAUSE_MS = 100;
const ANSWER_DEADLINE_MS = 20_000;
const START_DEADLINE_MS = 60_000;
/** Characters of its log that are shown where something went wrong. */
const LAST_WORDS = 4_000;
/** Exit code of a process that must not go on: see src/main/serve.ts. */
const FENCED = 70;

/** What a member says of itself. */
export interface MemberParts {
  readonly name: string;
  readonly service: ServiceName;
  readonly environment: Readonly<Record<string, string>>;
  /** Between it and the database, Redis, and those who call it. */
  readonly proxies: Readonly<Record<'sql' | 'redis' | 'calls', TcpProxy>>;
  /** Told where a new run of it listens. */
  readonly onServing: (address: string) => void;
}

/** How often its runs ended, and how. */
export interface Ends {
  killed: number;
  fenced: number;
  /** It could not start: the database or Redis was away. */
  unstarted: number;
}

/** One service of the estate: a process that is started again whenever it ends, as systemd does. */
export class Member {
  readonly #t: Lifetime;
  readonly #parts: MemberParts;
  #environment: Readonly<Record<string, string>> = {};
  #run: TestProcess | undefined;
  #isServing = false;
  #isWanted = false;
  #watching: Promise<void> | undefined;
  #log = '';
  /** When a run of it began to serve for the last time; by performance.now(). */
  servingSince = 0;
  /** How long each run took until it served, ms. */
  readonly startsMs: number[] = [];
  readonly ends: Ends = { killed: 0, fenced: 0, unstarted: 0 };
  /** When its runs ended other than in good order, ms since 1970; what they were at work on counts as begun once more. */
  readonly endedAt: number[] = [];
  /** What must not happen to a process. */
  readonly accidents: string[] = [];
  /** Steps at which it ended, or stood still; in order. */
  readonly hits: string[] = [];

  constructor(t: Lifetime, parts: MemberParts) {
    this.#t = t;
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  get service(): ServiceName {
    return this.#parts.service;
  }

  get proxies(): MemberParts['proxies'] {
    return this.#parts.proxies;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Process id of the present run; undefined between two. */
  get pid(): number | undefined {
    return this.#isServing ? this.#run?.child.pid : undefined;
  }

  /** What all its runs have written. */
  log(): string {
    return this.#log + (this.#run?.stderr() ?? '');
  }

  /** Starts it, and again whenever it ends; answers when it serves. `environment`: beside the estate's, from now on. */
  async start(environment: Readonly<Record<string, string>> = this.#environment): Promise<void> {
    this.#environment = environment;
    this.#isWanted = true;
    this.#watching ??= this.#keepRunning().finally(() => (this.#watching = undefined));
    await this.serving();
  }

  /** Waits until a run serves. */
  async serving(): Promise<void> {
    await until(async () => this.#isServing || undefined, `${this.name} to serve`, START_DEADLINE_MS).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${this.log().slice(-LAST_WORDS)}`);
      },
    );
  }

  /** Ends it in good order; answers how the process ended. */
  async stop(): Promise<number | string | undefined> {
    this.#isWanted = false;
    const run = this.#run;
    run?.child.kill('SIGTERM');
    const end = await run?.ended();
    await this.#watching;
    return end;
  }

  /** Kills the present run, or stops it in its tracks, or lets it go on. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#run?.child.kill(signal);
  }

  /** At its next step of this name it ends so. False: there is no process that could. */
  arm(order: Order): boolean {
    if (!this.#isServing || this.#run?.child.connected !== true) return false;
    this.#run.child.send(order satisfies ToServer, () => undefined);
    return true;
  }

  /** Has it collect its garbage; answers when that is done. It must serve. */
  async collectGarbage(): Promise<void> {
    const child = this.#run?.child;
    if (!child) throw new Error(`${this.name} does not run`);
    const collected = once(child, 'message', { signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
    child.send('collect garbage' satisfies ToServer);
    await collected;
  }

  async #keepRunning(): Promise<void> {
    while (this.#isWanted) {
      await this.#runOnce();
      await pause(RESTART_PAUSE_MS);
    }
  }

  async #runOnce(): Promise<void> {
    const { service, environment, onServing } = this.#parts;
    const env = { ...environment, ...this.#environment };
    // what is ended with the test is not to be started again
    const lifetime: Lifetime = {
      teardown: (end) => {
        this.#t.teardown(() => {
          this.#isWanted = false;
          return end();
        });
      },
    };
    const run = processFor(lifetime, process.execPath, ['--expose-gc', SERVER, service], { env, ipc: true });
    this.#run = run;
    const begun = performance.now();
    this.#listen(run);
    run.child.on('message', (message: ToParent) => {
      if (this.#run !== run || message === 'collected') return;
      const [address = ''] = message.addresses;
      onServing(address);
      this.#isServing = true;
      this.servingSince = performance.now();
      this.startsMs.push(this.servingSince - begun);
    });
    const end = await run.ended();
    const served = this.#isServing;
    this.#isServing = false;
    this.#run = undefined;
    this.#log += `${run.stderr()}${new Date().toISOString()} ${this.name} ended: ${end}\n`;
    this.#count(run, end, served);
  }

  /** Reads what the program says beside its log. */
  #listen({ child }: TestProcess): void {
    let rest = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith(HIT)) this.hits.push(line.slice(HIT.length));
        if (line.startsWith(UNKNOWN)) this.accidents.push(`${this.name} met ${line}`);
      }
    });
  }

  #count(run: TestProcess, end: number | string, served: boolean): void {
    if (end === 'SIGKILL' || end === FENCED) this.endedAt.push(Date.now());
    if (end === 'SIGKILL') this.ends.killed += 1;
    else if (end === FENCED) this.ends.fenced += 1;
    else if (!served && end === 1) this.ends.unstarted += 1;
    else if (this.#isWanted || end !== 0) {
      this.accidents.push(`${this.name} ended by itself: ${end}\n${run.stderr().slice(-LAST_WORDS)}`);
    }
  }
}
