import type { VolumeManagerService } from '../gen/cinder/volume/v3/volume_manager.js';
import type { InternalHandlers } from '../rpc/versioned-server.js';

export interface VolumeCallsParts {
  /** Reports every backend to every scheduler. */
  readonly report: () => Promise<void>;
}

/** What the volume service answers itself; its durable casts are in `manager.ts`. */
export function volumeCalls(parts: VolumeCallsParts): InternalHandlers<typeof VolumeManagerService> {
  return {
    async publishServiceCapabilities() {
      await parts.report();
      return {};
    },
  };
}
