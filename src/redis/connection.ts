import { type Deadline, pause } from '../time/deadline.js';
import type { Incarnation } from './incarnation.js';
import type { Script, ScriptArgs } from './script.js';

/** Nobody knows what became of a call: there was no reply by the deadline. Scripts are repeated under the same id. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** The call did nothing, or its reply was lost: read the incarnation again and repeat it. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
}

/** How a call of a script ended: `again`: it did nothing, or its reply was lost. */
export type CallOutcome = 'ok' | 'again' | 'no_answer' | 'error';

/**
 * A place where scripts run: one server, the primary that Sentinels name, or the nodes of a cluster. A call goes to the
 * incarnation it was made for or fails as `TryAgain`; nothing is queued out of sight or sent twice behind a caller's back.
 */
export interface RedisConnection {
  /** Whether there is a server now for every key. */
  readonly usable: boolean;
  /** Why there is no server now for a key, or for some key, in an operator's words; undefined: there is one. */
  trouble(key?: string): string | undefined;
  /** The server that has a key, as it is now; waits for a connection. Throws NoAnswer at the deadline. */
  incarnation(key: string, deadline: Deadline): Promise<Incarnation>;
  /**
   * Calls a script once under an incarnation read before for one of its keys. Throws TryAgain when that one is gone or the
   * reply was lost, NoAnswer at the deadline, and the server's error when the script itself failed.
   */
  attempt<K extends string, A extends string, R>(
    incarnation: Incarnation,
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
  ): Promise<R>;
  /** Calls a script until it answers. Only for scripts that may be repeated. Throws NoAnswer at the deadline. */
  run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
  ): Promise<R>;
  /** Asks every server whether it lives. Throws when one does not answer. */
  ping(): Promise<void>;
  /** Those who wait get NoAnswer. Safe to repeat. */
  close(): Promise<void>;
}

const RETRY_PAUSE_MS = 20;

/** Attempts a script until it answers: `run` of every form. */
export async function attemptUntilAnswered<K extends string, A extends string, R>(
  connection: Pick<RedisConnection, 'incarnation' | 'attempt'>,
  script: Script<K, A, R>,
  keys: Readonly<Record<K, string>>,
  args: ScriptArgs<A>,
  deadline: Deadline,
): Promise<R> {
  for (;;) {
    const incarnation = await connection.incarnation(anyKeyOf(keys), deadline);
    try {
      return await connection.attempt(incarnation, script, keys, args, deadline);
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      await pause(RETRY_PAUSE_MS, deadline);
    }
  }
}

/** One of a script's keys: all are in one slot. */
export function anyKeyOf(keys: Readonly<Record<string, string>>): string {
  const [key = ''] = Object.values(keys);
  return key;
}
