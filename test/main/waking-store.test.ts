import test from 'ava';
import { appendVolumeEvent } from '#src/db/events.js';
import { UniqueViolation } from '#src/db/store.js';
import { insertVolume } from '#src/db/volumes.js';
import { wakingStore } from '#src/main/waking-store.js';
import { sqliteStore } from '../support/sql.js';
import { newVolume } from '../support/volumes.js';

test('watchers are woken when an event is durable: not by other writes, and not by a unit that failed', async (t) => {
  const store = await sqliteStore(t);
  let woken = 0;
  const waking = wakingStore(store, () => (woken += 1));
  const volume = newVolume();
  const event = appendVolumeEvent({ volumeId: volume.id, type: 'volume.create.start', requestId: 'req-1' });
  await waking.apply(insertVolume(volume));
  t.is(woken, 0);
  await waking.apply([event]);
  t.is(woken, 1);
  await t.throwsAsync(waking.apply([event, ...insertVolume(volume)]), { instanceOf: UniqueViolation });
  t.is(woken, 1);
});
