import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { appendVolumeEvent, compareCursors, type EventCursor, eventRange } from '#src/db/events.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { insertVolume, type NewVolume } from '#src/db/volumes.js';

/** A volume that is about to be recorded. */
export function newVolume(values: Partial<NewVolume> = {}): NewVolume {
  return {
    ...{ id: randomUUID(), projectId: 'p1', userId: 'u1', name: 'data', description: null, sizeGib: 1 },
    ...{ status: 'creating', availabilityZone: 'nova', volumeTypeId: randomUUID(), snapshotId: null },
    ...{ sourceVolumeId: null, groupId: null, encryptionKeyId: null, bootable: false, multiattach: false },
    ...{ useQuota: true, metadata: new Map<string, string>() },
    ...values,
  };
}

/** Records a volume and its first event, and answers the volume. */
export async function recorded(store: Store, values: Partial<NewVolume> = {}): Promise<NewVolume> {
  const volume = newVolume(values);
  await store.apply([
    ...insertVolume(volume),
    appendVolumeEvent({ volumeId: volume.id, type: 'volume.create.accepted', requestId: 'req-1' }),
  ]);
  return volume;
}

const newest = statement()(({ db }) =>
  db.selectFrom('events').select(['tx', 'seq']).orderBy('tx', 'desc').orderBy('seq', 'desc').limit(1),
);

/**
 * Waits until every event can be read, and answers the last one's place. On PostgreSQL a transaction of any database of
 * the server, so of any other test, holds events back while it runs.
 */
export async function finalEvents(store: Store): Promise<EventCursor> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const [last] = await store.read(newest.with({}));
    const { head } = await eventRange(store);
    if (!last || compareCursors(head, last) >= 0) return head;
    if (Date.now() > deadline) throw new Error('some events did not become final');
    await delay(5);
  }
}
