import { liveProcesses } from '../db/processes.js';
import { servicesOf } from '../db/services.js';
import type { Store } from '../db/store.js';
import type { ReadPeers } from './peers.js';
import type { Registry } from './version-cap.js';

/** The living processes of a binary from the records; silent for longer than `downAfterMs`: not living. */
export function peersIn(store: Store, { downAfterMs }: { readonly downAfterMs: number }): ReadPeers {
  return (binary) => liveProcesses(store, { binary, downAfterMs });
}

/** The versions of a binary's services from the records. */
export function registryIn(store: Store): Registry {
  return {
    async versionsOf(binary) {
      const services = await servicesOf(store, binary);
      return services.filter(({ stopped }) => !stopped);
    },
  };
}
