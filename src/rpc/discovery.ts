import { liveProcesses, objectVersionsOf } from '../db/processes.js';
import { servicesOf } from '../db/services.js';
import type { Store } from '../db/store.js';
import { CachedRead } from './cached-read.js';
import { entryBelow, OBJECT_VERSION } from './object-history.js';
import type { ReadPeers } from './peers.js';
import type { Registry } from './version-cap.js';
import { compareVersions, versionOf } from './version-number.js';

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

/** The oldest entry of the object history among the processes of every binary, as it was at most 5 s ago. */
export function callersObjectsIn(store: Store, { ttlMs }: { readonly ttlMs: number }): () => Promise<string> {
  const cache = new CachedRead(
    async () => {
      const entries = (await objectVersionsOf(store, ttlMs)).map(entryBelow);
      return entries.reduce((a, b) => (compareVersions(versionOf(b), versionOf(a)) < 0 ? b : a), OBJECT_VERSION);
    },
    { what: 'the object versions of processes', maxAgeMs: 5_000 },
  );
  return () => cache.get();
}
