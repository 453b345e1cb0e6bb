import { isEvent } from '../db/events.js';
import type { Store } from '../db/store.js';

/** A store that says when an event was written, so that watchers need not wait for their next look. */
export function wakingStore(store: Store, wake: () => void): Store {
  return {
    dialect: store.dialect,
    read: (statement, until) => store.read(statement, until),
    close: () => store.close(),
    async apply(unit, until) {
      const done = await store.apply(unit, until);
      if (unit.some(isEvent)) wake();
      return done;
    },
  };
}
