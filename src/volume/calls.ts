import { doCleanup, type DoCleanupParts } from '../casts/do-cleanup.js';
import type { VolumeManagerService } from '../gen/cinder/volume/v3/volume_manager.js';
import { getLogLevels, type LogLevels, setLogLevels } from '../rpc/log-levels.js';
import type { InternalHandlers } from '../rpc/versioned-server.js';
import { inspectStorage, type StorageParts } from './handlers/inspect-storage.js';
import { repairStorage } from './handlers/repair-storage.js';

export interface VolumeCallsParts extends DoCleanupParts, StorageParts {
  /** Reports every backend to every scheduler. */
  readonly report: () => Promise<void>;
  /** Of this process. */
  readonly logLevels: LogLevels;
}

/** What the volume service answers itself; its durable casts are in `manager.ts`. */
export function volumeCalls(parts: VolumeCallsParts): InternalHandlers<typeof VolumeManagerService> {
  return {
    async doCleanup({ cleanupRequest }) {
      await doCleanup(parts, 'cinder-volume', cleanupRequest);
      return {};
    },
    async setLogLevels({ logRequest }) {
      setLogLevels(parts.logLevels, logRequest);
      return {};
    },
    async getLogLevels({ logRequest }) {
      return { logLevels: getLogLevels(parts.logLevels, logRequest) };
    },
    inspectStorage: inspectStorage(parts),
    repairStorage: repairStorage(parts),
    async publishServiceCapabilities() {
      await parts.report();
      return {};
    },
  };
}
