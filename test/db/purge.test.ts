import { randomUUID } from 'node:crypto';
import { eventRange, readEvents } from '#src/db/events.js';
import { findIdempotency, insertIdempotency } from '#src/db/idempotency.js';
import { insertMessage, listMessages } from '#src/db/messages.js';
import { purge } from '#src/db/purge.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { leftoversOf } from '#src/db/leftovers.js';
import { placeVolume, transition, unplaceVolume } from '#src/db/volume-transitions.js';
import { storesFor } from '../support/sql.js';
import { finalEvents, recorded } from '../support/volumes.js';

const NOTHING = { volumes: 0, events: 0, messages: 0, idempotencyKeys: 0, processes: 0, leftovers: 0 };
const START = { tx: 0, seq: 0 };
/** Everything that ended before now. */
const AT_ONCE = { deletedVolumesMs: -1, eventsMs: -1, idempotencyMs: -1, processesMs: -1 };
const countOf = (table: 'volumes' | 'volume_metadata' | 'processes') =>
  statement()(({ db }) => db.selectFrom(table).select(({ fn }) => fn.countAll<number>().as('n')));
const count = async (store: Store, table: Parameters<typeof countOf>[0]) =>
  (await store.read(countOf(table).with({})))[0]?.n;
const insertProcess = statement<{ incarnation: string }>()(({ db, now }, p) =>
  db.insertInto('processes').values({
    ...{ incarnation: p.incarnation, binary: 'cinder-api', host: 'h', endpoint: 'e', rpc_version: '3.0' },
    ...{ object_version: '1.0', started_at: now, heartbeat_at: now },
  }),
);
const own = statement<{ owner: string; payload: Buffer }>()(({ db, now }, p) =>
  db.insertInto('workers').values({
    ...{
      resource_type: 'Volume',
      resource_id: 'r',
      status: 'creating',
      method: 'M',
      payload: p.payload,
      owner: p.owner,
    },
    ...{ binary: 'cinder-scheduler', payload_version: '3.0', context: '{}', state: 'claimed', epoch: 1, claims: 1 },
    ...{ sends: 0, not_before: now, send_until: now, created_at: now, updated_at: now },
  }),
);

storesFor('what is younger than its retention is kept', async (t, store) => {
  const { id } = await recorded(store);
  await store.apply([transition('undoCreate', { id })]);
  t.deepEqual(await purge(store), NOTHING);
  t.is(await count(store, 'volumes'), 1);
});

storesFor('deleted volumes go with their metadata, live ones stay', async (t, store) => {
  const metadata = new Map([['a', 'b']]);
  const gone = await recorded(store, { metadata });
  const live = await recorded(store, { metadata });
  await store.apply([transition('undoCreate', { id: gone.id })]);
  t.is((await purge(store, { deletedVolumesMs: -1 })).volumes, 1);
  t.is(await count(store, 'volumes'), 1);
  t.is(await count(store, 'volume_metadata'), 1);
  t.deepEqual((await findVolume(store, { id: live.id }))?.metadata, metadata);
});

storesFor('notes of what may be left on a backend go when nobody came for so long', async (t, store) => {
  const { id } = await recorded(store);
  const place = { clusterName: null, availabilityZone: 'nova' };
  await store.apply([placeVolume({ id, host: 'h@b#p', ...place }), ...unplaceVolume(id)]);
  t.is((await purge(store)).leftovers, 0);
  t.is((await purge(store, { leftoversMs: -1 })).leftovers, 1);
  t.deepEqual(await leftoversOf(store, { backend: 'h@b', after: undefined, limit: 1 }), []);
});

storesFor('more than one batch of events goes, and the horizon says how far', async (t, store) => {
  await Promise.all(Array.from({ length: 620 }, () => recorded(store)));
  const head = await finalEvents(store);
  const purged = await Promise.all([purge(store, AT_ONCE), purge(store, AT_ONCE)]);
  t.is(
    purged.reduce((sum, { events }) => sum + events, 0),
    620,
  );
  t.deepEqual(await readEvents(store, START, 10), []);
  t.like(await eventRange(store), { head, horizon: head });
});

storesFor('expired messages and old idempotency keys go, each by its own key', async (t, store) => {
  const key = { projectId: 'p', userId: 'u', rpc: 'r', key: 'k' };
  const message = (ttlMs: number) =>
    insertMessage({
      ...{ id: randomUUID(), projectId: 'p', requestId: 'q', resourceType: 'VOLUME', resourceId: 'v', actionId: '001' },
      ...{ detailId: '001', text: String(ttlMs), ttlMs },
    });
  await store.apply([insertIdempotency(key, { requestHash: 'h', resourceId: 'v' }), message(-1_000), message(60_000)]);
  t.deepEqual(await purge(store), { ...NOTHING, messages: 1 });
  t.deepEqual(
    (await listMessages(store, { projectId: 'p', limit: 10 })).map(({ text }) => text),
    ['60000'],
  );
  t.is((await purge(store, { idempotencyMs: -1 })).idempotencyKeys, 1);
  t.is(await findIdempotency(store, key), undefined);
});

storesFor('a process that is not heard of goes, unless work is still its own', async (t, store) => {
  for (const incarnation of ['idle', 'owner']) await store.apply([{ statement: insertProcess.with({ incarnation }) }]);
  await store.apply([{ statement: own.with({ owner: 'owner', payload: Buffer.alloc(1) }) }]);
  t.is((await purge(store, { processesMs: -1 })).processes, 1);
  t.is(await count(store, 'processes'), 1);
});

storesFor('a purge that is called off before it begins removes nothing', async (t, store) => {
  await recorded(store);
  await finalEvents(store);
  t.deepEqual(await purge(store, AT_ONCE, AbortSignal.abort()), NOTHING);
  t.is((await purge(store, AT_ONCE)).events, 1);
});
