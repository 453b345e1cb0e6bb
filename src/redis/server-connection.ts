import type { Redis, RedisOptions } from 'ioredis';
import type { Log } from '../log/log.js';
import { type Deadline, deadlineIn, isOver, pause, within } from '../time/deadline.js';
import { clientOf } from './client.js';
import { attemptUntilAnswered, type CallOutcome, NoAnswer, type RedisConnection, TryAgain } from './connection.js';
import { type Access, type Endpoint, nameOf } from './endpoint.js';
import { Gate } from './gate.js';
import { Incarnation, inspect, type ServerMode } from './incarnation.js';
import type { Script, ScriptArgs, ScriptText } from './script.js';
import { SentinelWatch } from './sentinel-watch.js';

/** How patient a connection is, and whom it tells what. */
export interface ConnectionOptions {
  /** A reply that takes longer means that the connection is dead, ms. @default 2000 */
  readonly replyTimeoutMs?: number;
  /** Scripts that a server is given at the same time; others wait for their turn. @default 1024 */
  readonly maxInFlight?: number;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Told of each call of a script; never throws. @default nobody */
  readonly onCall?: (script: string, outcome: CallOutcome, elapsedMs: number) => void;
}

const REPLY_TIMEOUT_MS = 2_000;
const MAX_BACK_OFF_MS = 2_000;
const MAX_IN_FLIGHT = 1_024;
const MAX_WAITING = 16_384;
const LOOK_AGAIN_MS = 20;
/** After this a server that may not be used is asked again. */
const ASK_AGAIN_MS = 500;

/** Replies after which the same call may succeed: nothing was done, and an operator or a failover is about to help. */
const PASSING = /^(NOSCRIPT|READONLY|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|OOM|MISCONF|NOREPLICAS)\b/;
/** Replies to somebody who is not let in. */
const DENIED = /^(WRONGPASS|NOAUTH|NOPERM)\b/;
/** Replies that show that the server is not the one we thought it was. */
const ANOTHER_SERVER = /^(NOSCRIPT|READONLY|MASTERDOWN)\b/;

/**
 * One connection to one server, and which incarnation of it is behind. With Sentinels it is the primary that they name,
 * and the connection follows it.
 */
export class ServerConnection implements RedisConnection {
  readonly #redis: Redis;
  /** For the log. */
  readonly #name: string;
  readonly #mode: ServerMode;
  readonly #log: ConnectionOptions['log'];
  readonly #onCall: NonNullable<ConnectionOptions['onCall']>;
  readonly #gate: Gate;
  readonly #watch: SentinelWatch | undefined;
  #current: Incarnation | undefined;
  #reading: Promise<void> | undefined;
  #refusal: string | undefined;
  #refusalPasses = false;
  #lastError: string | undefined;
  #asksAgain: NodeJS.Timeout | undefined;
  /** The Sentinels have named another one since it was looked for. */
  #isToLeave = false;
  #isClosed = false;
  /** Counts the connections that are gone. */
  #closes = 0;

  constructor(
    endpoint: Endpoint,
    access: Access,
    { log, replyTimeoutMs, onCall = () => undefined, maxInFlight = MAX_IN_FLIGHT }: ConnectionOptions,
    mode: ServerMode = 'standalone',
  ) {
    this.#log = log;
    this.#onCall = onCall;
    this.#mode = mode;
    this.#name = nameOf(endpoint);
    this.#gate = new Gate({ atOnce: maxInFlight, waiting: MAX_WAITING, what: 'Redis' });
    this.#redis = clientOf(endpoint, access, manners(replyTimeoutMs));
    this.#redis.on('ready', () => {
      if (this.#isToLeave) this.#leave();
      else void this.#read();
    });
    this.#redis.on('close', () => {
      this.#closes += 1;
      this.#current = undefined;
    });
    // only the message: a reply error also carries its command, which may be AUTH
    this.#redis.on('error', (error: Error) => this.#failed('redis connection', error.message));
    if ('sentinels' in endpoint) {
      this.#watch = new SentinelWatch(endpoint, access, () => {
        this.#log.warn('redis has a new primary', { server: this.#name });
        this.#leave();
      });
    }
  }

  get usable(): boolean {
    return this.#current !== undefined;
  }

  /** The incarnation that is connected, if one is. */
  get current(): Incarnation | undefined {
    return this.#current;
  }

  /** Why the server that answers is not used, in an operator's words. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** What only an operator can mend: waiting is of no use. */
  get hopeless(): string | undefined {
    if (this.#refusal !== undefined) return this.#refusalPasses ? undefined : this.#refusal;
    return DENIED.test(this.#lastError ?? '') ? this.#lastError : undefined;
  }

  trouble(): string | undefined {
    return this.#current ? undefined : (this.#refusal ?? this.#lastError ?? NO_CONNECTION);
  }

  /** The plain client, for commands outside scripts. */
  get client(): Redis {
    return this.#redis;
  }

  async incarnation(_key: string, deadline: Deadline): Promise<Incarnation> {
    for (;;) {
      if (this.#current) return this.#current;
      if (this.#isClosed || isOver(deadline)) throw new NoAnswer(this.#refusal ?? NO_CONNECTION);
      if (this.#redis.status === 'ready') await within(this.#read(), deadline);
      if (!this.usable) await pause(LOOK_AGAIN_MS, deadline);
    }
  }

  async attempt<K extends string, A extends string, R>(
    incarnation: Incarnation,
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
  ): Promise<R> {
    const begun = performance.now();
    try {
      const sha = incarnation.sha(script) ?? (await answered(this.#load(incarnation, script), deadline));
      await this.#gate.enter(deadline);
      const reply = await answered(this.#send(incarnation, sha, script.call(keys, args)), deadline);
      this.#onCall(script.name, 'ok', performance.now() - begun);
      return script.decode(reply);
    } catch (error) {
      const judged = this.#judge(error, incarnation);
      this.#onCall(script.name, outcomeOf(judged), performance.now() - begun);
      throw judged;
    }
  }

  async run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
  ): Promise<R> {
    return attemptUntilAnswered(this, script, keys, args, deadline);
  }

  async ping(): Promise<void> {
    await this.#redis.ping();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#asksAgain);
    this.#watch?.close();
    // without a socket there is nothing whose end could be waited for
    const hasSocket = ['connecting', 'connect', 'ready'].includes(this.#redis.status);
    const ended = new Promise((resolve) => this.#redis.once('end', resolve));
    this.#redis.disconnect();
    if (hasSocket) await within(ended, deadlineIn(REPLY_TIMEOUT_MS));
  }

  /** The turn ends with the reply, not with the caller's patience: until then the server has the call. */
  async #send(incarnation: Incarnation, sha: string, call: ReturnType<Script<string, string, unknown>['call']>) {
    try {
      this.#expect(incarnation);
      this.#writeTogether();
      return await this.#redis.evalsha(sha, ...call);
    } finally {
      this.#gate.leave();
    }
  }

  /** All that is sent in one turn goes out in one write: a system call costs as much as the rest of a call. */
  #writeTogether(): void {
    const { stream } = this.#redis;
    if (stream.writableCorked > 0) return;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  #expect(incarnation: Incarnation): void {
    if (this.#current !== incarnation) throw new TryAgain('the connection was renewed');
  }

  async #load(incarnation: Incarnation, script: ScriptText): Promise<string> {
    return incarnation.load(script, (text) => {
      // a script of one incarnation must never get into the cache of another: its text says which sums it believes
      this.#expect(incarnation);
      return this.#redis.script('LOAD', text) as Promise<string>;
    });
  }

  #judge(error: unknown, incarnation: Incarnation): unknown {
    if (error instanceof NoAnswer || error instanceof TryAgain || !(error instanceof Error)) return error;
    if (ANOTHER_SERVER.test(error.message) && this.#current === incarnation) {
      this.#current = undefined;
      void this.#read();
    }
    const scriptFailed = error.name === 'ReplyError' && !PASSING.test(error.message);
    return scriptFailed ? error : new TryAgain(error.message, { cause: error });
  }

  /** Reads who the server is, once at a time. Never throws: what is wrong shows in `refusal` or as no incarnation. */
  async #read(): Promise<void> {
    this.#reading ??= this.#inspect().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #inspect(): Promise<void> {
    const connection = this.#closes;
    try {
      const seen = inspect(await this.#redis.info(), this.#mode);
      if (connection !== this.#closes) return; // the reply is of a connection that is gone
      if (seen.refusal !== undefined) {
        this.#refuse(seen.refusal, seen.passes);
        return;
      }
      this.#refusal = this.#lastError = undefined;
      if (!seen.appendOnly)
        this.#log.warn('redis keeps no append-only file: after a crash quota is rebuilt from the records', {
          server: this.#name,
        });
      this.#current = new Incarnation(seen.token);
      this.#log.info('redis connected', { server: this.#name, incarnation: seen.token });
    } catch (error) {
      this.#failed('redis did not say who it is', error instanceof Error ? error.message : String(error));
      this.#askAgain();
    }
  }

  /** Asks the Sentinels again, whatever the server at hand says of itself. */
  #leave(): void {
    // a client that is told to disconnect while it still looks for a server ends for good
    this.#isToLeave = this.#redis.status !== 'ready';
    if (!this.#isToLeave) this.#redis.disconnect(true);
  }

  #refuse(reason: string, passes: boolean): void {
    if (reason !== this.#refusal) this.#log.error('redis refused', { server: this.#name, reason });
    this.#refusal = reason;
    this.#refusalPasses = passes;
    this.#current = undefined;
    this.#askAgain();
  }

  /** Wanted or not: somebody may have mended the server, and who sees trouble may not ask at all. */
  #askAgain(): void {
    clearTimeout(this.#asksAgain);
    if (this.#isClosed) return;
    this.#asksAgain = setTimeout(() => {
      if (this.#redis.status !== 'ready' || this.#current) return;
      if (this.#watch) this.#leave();
      else void this.#read();
    }, ASK_AGAIN_MS).unref();
  }

  #failed(what: string, reason: string): void {
    this.#lastError = reason;
    this.#log.warn(what, { server: this.#name, reason });
  }
}

const NO_CONNECTION = 'no connection to Redis';

function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof TryAgain) return 'again';
  return error instanceof NoAnswer ? 'no_answer' : 'error';
}

/** Throws NoAnswer when the deadline comes before the reply. */
async function answered<T>(reply: Promise<T>, deadline: Deadline): Promise<T> {
  const value = await within(reply, deadline);
  if (value === undefined) throw new NoAnswer('no reply from Redis');
  return value;
}

function manners(replyTimeoutMs = REPLY_TIMEOUT_MS): RedisOptions {
  return {
    enableAutoPipelining: false, // halves the rate of scripts
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: replyTimeoutMs,
    connectTimeout: replyTimeoutMs,
    connectionName: 'cinder-grpc',
    retryStrategy: (attempt: number) =>
      Math.min(20 * 2 ** Math.min(attempt, 10), MAX_BACK_OFF_MS) * (0.8 + Math.random() * 0.4),
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
}
