import { workAt } from '../db/backend-records.js';
import type { Store } from '../db/store.js';
import type { StoredName } from '../drivers/inventory.js';
import type { Backend } from './backend.js';
import { type StorageProblem, unexplainedIn } from './storage-look.js';

/**
 * Puts a file without a record away, or removes what is half-made, when its turn has come and nothing explains it still;
 * false: something does, or it is gone. Destroys no volume. Safe to repeat. Throws what the driver throws.
 */
export function repairStorage(
  store: Store,
  backend: Backend,
  problem: StorageProblem,
  signal: AbortSignal,
): Promise<boolean> {
  const name = nameOf(problem);
  if (!name) return Promise.resolve(false);
  // in the volume's lane: no work on it is under way here while we look and move
  return backend.run(name.id, signal, async () => {
    const unexplained = await unexplainedIn(store, backend, [name]);
    if (unexplained.length === 0) return false;
    if (name.kind === 'half-made') {
      await backend.driver.discard(name);
      return true;
    }
    const work = await workAt(store, backend.name, [name.id]);
    if (work.size > 0) return false; // it is on its way to or from here, whatever its record says
    return backend.driver.inventory.quarantine(name);
  });
}

function nameOf({ kind, volumeId: id, pool, epoch }: StorageProblem): StoredName | undefined {
  if (kind === 'file_without_record') return { kind: 'complete', id, pool };
  return kind === 'half_made_file_left' ? { kind: 'half-made', id, pool, epoch } : undefined;
}
