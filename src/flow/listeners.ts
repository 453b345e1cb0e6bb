import type { Run } from './flow.js';

/** A change of state in a run; the words are TaskFlow's (`taskflow/states.py`), `IN_DOUBT` is ours. */
export type Transition =
  | { readonly kind: 'flow'; readonly state: 'RUNNING' | 'SUCCESS' }
  | { readonly kind: 'flow'; readonly state: 'REVERTED' | 'FAILURE' | 'IN_DOUBT'; readonly error: unknown }
  | { readonly kind: 'task'; readonly task: string; readonly state: 'RUNNING' | 'SUCCESS' | 'REVERTING' | 'REVERTED' }
  | {
      readonly kind: 'task';
      readonly task: string;
      readonly state: 'FAILURE' | 'REVERT_FAILURE';
      readonly error: unknown;
    };

/** Told every transition of a run, synchronously. Must not throw; what it throws is ignored. */
export type FlowListener = (run: Run, transition: Transition) => void;
