import type { VolumeManagerService } from '../../gen/cinder/volume/v3/volume_manager.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import { Fault } from '../../errors/fault.js';
import type { Backend } from '../backend.js';
import { backendNamed } from '../backend-for.js';
import { countFiles, type FileCounts, isOfOtherDatabase } from '../storage-look.js';
import { problemFromWire } from '../storage-on-the-wire.js';
import { repairStorage as repaired } from '../storage-repair.js';
import type { StorageParts } from './inspect-storage.js';

/** For how long a count of a backend's files serves the repairs that follow, ms. */
const COUNT_SERVES_MS = 30_000;

/**
 * `RepairStorage`. Throws NotMyBackend, MostFilesUnexplained where it is rather the database that is the wrong one, and what
 * the driver throws.
 */
export function repairStorage({
  store,
  backends,
}: StorageParts): InternalHandler<typeof VolumeManagerService.repairStorage> {
  /** By backend. */
  const counted = new Map<string, { readonly at: number; readonly files: FileCounts }>();

  return async ({ problem }, { target, signal }) => {
    const backend = backendNamed(backends, target);
    const known = problem && problemFromWire(problem);
    if (!known) return { repaired: false };
    const files = await filesOf(backend, signal);
    if (isOfOtherDatabase(files)) throw new Fault('MostFilesUnexplained', { backend: backend.name, ...files });
    return { repaired: await repaired(store, backend, known, signal) };
  };

  async function filesOf(backend: Backend, signal: AbortSignal): Promise<FileCounts> {
    const before = counted.get(backend.name);
    if (before && performance.now() - before.at < COUNT_SERVES_MS) return before.files;
    const files = await countFiles(store, backend, signal);
    counted.set(backend.name, { at: performance.now(), files });
    return files;
  }
}
