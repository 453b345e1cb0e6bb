import { isEvent } from '../db/events.js';
import type { Store } from '../db/store.js';

/** A store that says when an event was written, so that watchers need not wait for their next look. */
export function wakingStore(store: Store, wake: () => void): Store {
  return {
    dialect: store.dialect,
    read: (statement) => store.read(statement),
    close: () => store.close(),
    async apply(unit) {
      const done = await store.apply(unit);
      if (unit.some(isEvent)) wake();
      return done;
    },
  };
}
