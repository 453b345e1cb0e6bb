import { Redis } from 'ioredis';
import type { Log } from '../log/log.js';
import { type Deadline, deadlineIn, isOver, pause, within } from './deadline.js';
import { Incarnation, inspect } from './incarnation.js';
import type { Script, ScriptText } from './script.js';

/** Where Redis is and how patient we are with it. */
export interface RedisConnectionOptions {
  /** `redis://…`, `rediss://…`, or the path of a unix socket. */
  readonly url: string;
  /** A reply that takes longer means that the connection is dead, ms. @default 2000 */
  readonly replyTimeoutMs?: number;
  /** How long the first connection may take, ms. @default 10000 */
  readonly connectTimeoutMs?: number;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Told of each call of a script; never throws. @default nobody */
  readonly onCall?: (script: string, outcome: CallOutcome, elapsedMs: number) => void;
}

/** How a call of a script ended: `again`: it did nothing, or its reply was lost. */
export type CallOutcome = 'ok' | 'again' | 'no_answer' | 'error';

/** Nobody knows what became of a call: there was no reply by the deadline. Scripts are repeated under the same id. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** The call did nothing, or its reply was lost: read the incarnation again and repeat it. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
}

const MAX_BACK_OFF_MS = 2_000;
const RETRY_PAUSE_MS = 20;

/** Replies after which the same call may succeed: nothing was done, and an operator or a failover is about to help. */
const PASSING = /^(NOSCRIPT|READONLY|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS)/;
/** Replies that show that the server is not the one we thought it was. */
const ANOTHER_SERVER = /^(NOSCRIPT|READONLY)/;

/**
 * Connects and waits until the server is usable. Throws when it does not answer in time, is older than Redis 7.0, or may
 * evict keys. Afterwards outages are waited for, call by call, up to each call's own deadline.
 */
export async function connectRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  const connection = new RedisConnection(options);
  const deadline = deadlineIn(options.connectTimeoutMs ?? 10_000);
  while (!connection.usable && connection.refusal === undefined && !isOver(deadline)) await pause(5, deadline);
  if (connection.usable) return connection;
  await connection.close();
  throw new Error(`Redis cannot be used: ${connection.refusal ?? 'it cannot be reached'}`);
}

/**
 * One connection, and which incarnation of the server is behind it. Commands never wait in a hidden queue and are never
 * re-sent behind the caller's back: a call either goes to the incarnation it was made for, or fails as `TryAgain`.
 */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #log: RedisConnectionOptions['log'];
  readonly #onCall: NonNullable<RedisConnectionOptions['onCall']>;
  #current: Incarnation | undefined;
  #reading: Promise<void> | undefined;
  #refusal: string | undefined;
  #isClosed = false;
  /** Counts the connections that are gone. */
  #closes = 0;

  constructor({ url, log, replyTimeoutMs = 2_000, onCall = () => undefined }: RedisConnectionOptions) {
    const options = connectionOptions(replyTimeoutMs);
    this.#log = log;
    this.#onCall = onCall;
    this.#redis = /^rediss?:\/\//.test(url) ? new Redis(url, options) : new Redis({ path: url, ...options });
    this.#redis.on('ready', () => void this.#read());
    this.#redis.on('close', () => {
      this.#closes += 1;
      this.#current = undefined;
    });
    // only the message: a reply error also carries its command, which may be AUTH
    this.#redis.on('error', (error: Error) => this.#log.warn('redis connection', { reason: error.message }));
  }

  /** Whether there is a server now, and it may be used. */
  get usable(): boolean {
    return this.#current !== undefined;
  }

  /** Why the server that answers is not used, in an operator's words. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The plain client, for commands outside scripts. */
  get client(): Redis {
    return this.#redis;
  }

  /** The server as it is now; waits for a connection. Throws NoAnswer at the deadline. */
  async incarnation(deadline: Deadline): Promise<Incarnation> {
    for (;;) {
      if (this.#current) return this.#current;
      if (this.#isClosed || isOver(deadline)) throw new NoAnswer(this.#refusal ?? 'no connection to Redis');
      if (this.#redis.status === 'ready') await within(this.#read(), deadline);
      if (!this.usable) await pause(RETRY_PAUSE_MS, deadline);
    }
  }

  /**
   * Calls a script once under an incarnation read before. Throws TryAgain when that one is gone or the reply was lost,
   * NoAnswer at the deadline, and the server's error when the script itself failed.
   */
  async attempt<K extends string, A extends string, R>(
    incarnation: Incarnation,
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: Readonly<Record<A, string | number>>,
    deadline: Deadline,
  ): Promise<R> {
    const begun = performance.now();
    try {
      const sha = incarnation.sha(script) ?? (await answered(this.#load(incarnation, script), deadline));
      this.#expect(incarnation);
      const reply = await answered(this.#redis.evalsha(sha, ...script.call(keys, args)), deadline);
      this.#onCall(script.name, 'ok', performance.now() - begun);
      return script.decode(reply);
    } catch (error) {
      const judged = this.#judge(error, incarnation);
      this.#onCall(script.name, outcomeOf(judged), performance.now() - begun);
      throw judged;
    }
  }

  /** Calls a script until it answers. Only for scripts that may be repeated. Throws NoAnswer at the deadline. */
  async run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: Readonly<Record<A, string | number>>,
    deadline: Deadline,
  ): Promise<R> {
    for (;;) {
      const incarnation = await this.incarnation(deadline);
      try {
        return await this.attempt(incarnation, script, keys, args, deadline);
      } catch (error) {
        if (!(error instanceof TryAgain)) throw error;
        await pause(RETRY_PAUSE_MS, deadline);
      }
    }
  }

  /** Those who wait get NoAnswer. Safe to repeat. */
  async close(): Promise<void> {
    this.#isClosed = true;
    // without a socket there is nothing whose end could be waited for
    const hasSocket = ['connecting', 'connect', 'ready'].includes(this.#redis.status);
    const ended = new Promise((resolve) => this.#redis.once('end', resolve));
    this.#redis.disconnect();
    if (hasSocket) await ended;
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
    if (ANOTHER_SERVER.test(error.message) && this.#current === incarnation) this.#current = undefined;
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
      const seen = inspect(await this.#redis.info());
      if (connection !== this.#closes) return; // the reply is of a connection that is gone
      if (seen.refusal !== undefined) {
        if (seen.refusal !== this.#refusal) this.#log.error('redis refused', { reason: seen.refusal });
        this.#refusal = seen.refusal;
        return;
      }
      this.#refusal = undefined;
      if (!seen.appendOnly)
        this.#log.warn('redis keeps no append-only file: after a crash quota is rebuilt from the records');
      this.#current = new Incarnation(seen.token);
      this.#log.info('redis connected', { incarnation: seen.token });
    } catch (error) {
      this.#log.warn('redis did not say who it is', { reason: error instanceof Error ? error.message : String(error) });
    }
  }
}

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

function connectionOptions(replyTimeoutMs: number) {
  return {
    enableAutoPipelining: false, // halves the rate of scripts
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: replyTimeoutMs,
    connectTimeout: replyTimeoutMs,
    disconnectTimeout: replyTimeoutMs,
    connectionName: 'cinder-grpc',
    retryStrategy: (attempt: number) =>
      Math.min(20 * 2 ** Math.min(attempt, 10), MAX_BACK_OFF_MS) * (0.8 + Math.random() * 0.4),
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
}
