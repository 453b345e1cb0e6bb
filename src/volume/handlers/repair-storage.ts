import type { VolumeManagerService } from '../../gen/cinder/volume/v3/volume_manager.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import { backendNamed } from '../backend-for.js';
import { problemFromWire } from '../storage-on-the-wire.js';
import { repairStorage as repaired } from '../storage-repair.js';
import type { StorageParts } from './inspect-storage.js';

/** `RepairStorage`. Throws NotMyBackend, and what the driver throws. */
export function repairStorage({
  store,
  backends,
}: StorageParts): InternalHandler<typeof VolumeManagerService.repairStorage> {
  return async ({ problem }, { target, signal }) => {
    const backend = backendNamed(backends, target);
    const known = problem && problemFromWire(problem);
    return { repaired: known !== undefined && (await repaired(store, backend, known, signal)) };
  };
}
