import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';

/** A store that knows whether it can be written: one that is read-only or full answers every reader. */
export interface TroubledStore extends Store {
  /** Why the last unit could not be written; undefined: it was, or there was none. Heartbeats write again and again. */
  readonly trouble: string | undefined;
}

export function troubledStore(store: Store): TroubledStore {
  let trouble: string | undefined;
  return {
    dialect: store.dialect,
    read: (statement, until) => store.read(statement, until),
    close: () => store.close(),
    get trouble() {
      return trouble;
    },
    async apply(unit, until) {
      try {
        const done = await store.apply(unit, until);
        trouble = undefined;
        return done;
      } catch (error) {
        if (Fault.is(error, 'DatabaseUnavailable')) trouble = error.facts.reason;
        throw error;
      }
    },
  };
}
