import type { Store } from '../../db/store.js';
import type { VolumeManagerService } from '../../gen/cinder/volume/v3/volume_manager.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import { type BackendsOfProcess, backendNamed } from '../backend-for.js';
import { lookAtStorage } from '../storage-look.js';
import { problemToWire } from '../storage-on-the-wire.js';

export interface StorageParts {
  readonly store: Store;
  readonly backends: BackendsOfProcess;
}

/** `InspectStorage`. Throws NotMyBackend, and what `lookAtStorage` throws. */
export function inspectStorage({
  store,
  backends,
}: StorageParts): InternalHandler<typeof VolumeManagerService.inspectStorage> {
  return async (range, { target, signal }) => {
    const { examined, problems, last } = await lookAtStorage(store, backendNamed(backends, target), range, signal);
    return { examinedCount: examined, problems: problems.map(problemToWire), last };
  };
}
