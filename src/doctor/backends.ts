import { backendsWithRecords } from '../db/backend-records.js';
import { isUp, servicesOf } from '../db/services.js';
import type { Store } from '../db/store.js';

/**
 * The backends (`host@backend`) that are up or should be, and those that the records name, in their order. One that was
 * stopped in good order and has nothing on record may be gone for good.
 */
export async function backendsToLookAt(store: Store, downAfterMs: number): Promise<readonly string[]> {
  const [services, recorded] = await Promise.all([servicesOf(store, 'cinder-volume'), backendsWithRecords(store)]);
  const expected = services.filter((service) => isUp(service, downAfterMs) || !service.stopped);
  return [...new Set([...expected.map(({ host }) => host), ...recorded])].toSorted();
}
