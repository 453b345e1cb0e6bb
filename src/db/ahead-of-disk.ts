import type { Store } from './store.js';

/**
 * The same store for work that does not wait for the disk: who has only part of what such work wrote has lost nothing but
 * time, because whoever goes on with it does the rest again. Rule: docs/adr/0019, "Work that runs ahead".
 */
export function aheadOfDisk(store: Store): Store {
  return {
    dialect: store.dialect,
    apply: (unit) => store.apply(unit, 'written'),
    read: (statement) => store.read(statement, 'written'),
    close: () => store.close(),
  };
}
