import { CommitUnknown, RowCountMismatch, type Store, UniqueViolation } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import type { Metrics } from '../telemetry/metrics.js';

/** A store whose units and queries are timed and counted. */
export function measuredStore(store: Store, { storage }: Pick<Metrics, 'storage'>): Store {
  const timed = (operation: 'read' | 'write'): (<T>(ask: () => Promise<T>) => Promise<T>) => {
    const seconds = storage.sqlSeconds.with(operation);
    let waiting = 0;
    storage.sqlWaiting.from(() => [[waiting, operation]]);
    return async (ask) => {
      // before the question: an embedded database answers while it is asked
      const begun = performance.now();
      waiting += 1;
      try {
        return await ask();
      } catch (error) {
        storage.sqlFailures.with(operation, reasonOf(error)).inc();
        throw error;
      } finally {
        waiting -= 1;
        seconds.observe((performance.now() - begun) / 1_000);
      }
    };
  };
  const reading = timed('read');
  const writing = timed('write');
  return {
    dialect: store.dialect,
    apply: (unit, until) => writing(() => store.apply(unit, until)),
    read: (statement, until) => reading(() => store.read(statement, until)),
    close: () => store.close(),
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof RowCountMismatch) return 'condition';
  if (error instanceof UniqueViolation) return 'duplicate';
  if (error instanceof CommitUnknown) return 'commit_unknown';
  return Fault.is(error, 'DatabaseUnavailable') ? 'unavailable' : 'error';
}
