import { InDoubt } from './in-doubt.js';
import type { FlowListener } from './listeners.js';

/** How a task's own `execute` ended. */
export type Outcome<Gives> = { readonly gave: Gives } | { readonly failed: unknown };

/** What a task knows of the run it is part of, beside its needs. */
export interface Run {
  /** Aborted when nobody waits for the result any more. Reverts run to their end all the same. */
  readonly signal: AbortSignal;
  /** Name of the flow, e.g. `volume_create_api`. */
  readonly flow: string;
  /** Request id, for logs. */
  readonly requestId: string;
  /** W3C trace context of what runs the flow; empty: none. */
  readonly traceparent: string;
  /** Whose flow it is, for logs; empty where nobody said. */
  readonly projectId: string;
  /** What it is about, for logs; empty where nobody said, or it is not there yet. */
  readonly resourceId: string;
}

/** One step: takes `Needs` from the steps before it, adds `Gives` for the steps after it. */
export interface Task<Needs extends object, Gives extends object = object> {
  /** Cinder's name of it, e.g. `QuotaReserve`. */
  readonly name: string;
  /** A property, not a method: methods compare parameters both ways, and a missing need would compile. */
  readonly execute: (needs: Needs, run: Run) => Promise<Gives>;
  /** Undoes what `execute` did. Safe to repeat. `cause` is what failed the flow. */
  readonly revert?: (needs: Needs, outcome: Outcome<Gives>, run: Run, cause: unknown) => Promise<void>;
}

/** What a caller may say about one run. */
export interface RunOptions {
  /** @default never aborted */
  readonly signal?: AbortSignal;
  /** @default empty */
  readonly requestId?: string;
  /** @default empty */
  readonly traceparent?: string;
  /** @default empty */
  readonly projectId?: string;
  /** @default empty */
  readonly resourceId?: string;
  /** Told every transition; see `listeners.ts`. @default none */
  readonly listeners?: readonly FlowListener[];
}

interface AnyTask {
  readonly name: string;
  readonly execute: (needs: object, run: Run) => Promise<object>;
  readonly revert?: (needs: object, outcome: Outcome<object>, run: Run, cause: unknown) => Promise<void>;
}

/**
 * A linear task flow after TaskFlow (`taskflow/patterns/linear_flow.py`): tasks run in order; a failure reverts what ran,
 * the failed task included, in reverse order, and the original error is thrown. Two things differ: a revert that throws
 * is reported and does not stop the others, and a task may end `InDoubt`, which reverts nothing.
 *
 * A flow is built once and run many times; it holds no state of a run.
 */
export class Flow<Input extends object, State extends object = Input> {
  readonly name: string;
  readonly #tasks: readonly AnyTask[];

  private constructor(name: string, tasks: readonly AnyTask[]) {
    this.name = name;
    this.#tasks = tasks;
  }

  static named<Input extends object>(name: string): Flow<Input> {
    return new Flow<Input>(name, []);
  }

  /** Appends a task. One whose needs nobody before it gives does not compile. Throws on a name used twice. */
  step<Needs extends object, Gives extends object>(
    task: State extends Needs ? Task<Needs, Gives> : Task<State, Gives>,
  ): Flow<Input, State & Gives> {
    if (this.#tasks.some(({ name }) => name === task.name))
      throw new Error(`${this.name}: two tasks named ${task.name}`);
    return new Flow<Input, State & Gives>(this.name, [...this.#tasks, task as unknown as AnyTask]);
  }

  /** Runs the flow. Throws the error of the failed task, or `InDoubt`. */
  async run(input: Input, options: RunOptions = {}): Promise<State> {
    const { signal = NEVER, requestId = '', traceparent = '', projectId = '', resourceId = '' } = options;
    const run: Run = { signal, flow: this.name, requestId, traceparent, projectId, resourceId };
    const listeners = options.listeners ?? [];
    const ran: { readonly task: AnyTask; readonly needs: object; readonly outcome: Outcome<object> }[] = [];
    let state: object = input;

    tell(listeners, run, { kind: 'flow', state: 'RUNNING' });
    for (const task of this.#tasks) {
      const needs = state;
      let begun = false;
      try {
        run.signal.throwIfAborted();
        begun = true;
        tell(listeners, run, { kind: 'task', task: task.name, state: 'RUNNING' });
        const gave = await task.execute(needs, run);
        ran.push({ task, needs, outcome: { gave } });
        state = Object.assign({}, state, gave); // no spread: docs/adr/0024
        tell(listeners, run, { kind: 'task', task: task.name, state: 'SUCCESS' });
      } catch (error) {
        if (begun) tell(listeners, run, { kind: 'task', task: task.name, state: 'FAILURE', error });
        if (error instanceof InDoubt) {
          tell(listeners, run, { kind: 'flow', state: 'IN_DOUBT', error });
          throw error;
        }
        if (begun) ran.push({ task, needs, outcome: { failed: error } });
        const clean = await revert(ran, run, listeners, error);
        tell(listeners, run, { kind: 'flow', state: clean ? 'REVERTED' : 'FAILURE', error });
        throw error;
      }
    }
    tell(listeners, run, { kind: 'flow', state: 'SUCCESS' });
    return state as State;
  }
}

const NEVER = new AbortController().signal;

/** Reverts in reverse order; true if every revert succeeded. */
async function revert(
  ran: readonly { readonly task: AnyTask; readonly needs: object; readonly outcome: Outcome<object> }[],
  run: Run,
  listeners: readonly FlowListener[],
  cause: unknown,
): Promise<boolean> {
  let clean = true;
  for (const { task, needs, outcome } of ran.toReversed()) {
    if (!task.revert) continue;
    tell(listeners, run, { kind: 'task', task: task.name, state: 'REVERTING' });
    try {
      await task.revert(needs, outcome, run, cause);
      tell(listeners, run, { kind: 'task', task: task.name, state: 'REVERTED' });
    } catch (error) {
      clean = false;
      tell(listeners, run, { kind: 'task', task: task.name, state: 'REVERT_FAILURE', error });
    }
  }
  return clean;
}

/** A listener that throws must not change how a flow ends (`taskflow/types/notifier.py`). */
function tell(listeners: readonly FlowListener[], run: Run, transition: Parameters<FlowListener>[1]): void {
  for (const listener of listeners) {
    try {
      listener(run, transition);
    } catch {
      // the listener's own business: a flow has no log, and its result belongs to the caller
    }
  }
}
