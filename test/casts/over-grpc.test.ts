import type { ExecutionContext } from 'ava';
import { CastReceiver } from '#src/casts/receiver.js';
import { CastSender } from '#src/casts/sender.js';
import type { Store } from '#src/db/store.js';
import { eventually } from '../support/redis.js';
import { Installation, schedulerClient, schedulerServer } from '../support/rpc.js';
import { storesFor } from '../support/sql.js';
import { working } from './receiver-for.js';
import { aged, eventsOf, readyRow, rowOf } from './rows.js';

storesFor('casts of one commit go over the wire in one call and are each done once', async (t, store) => {
  const { installation, sender } = senderIn(t, store);
  await scheduler(t, store, installation, 'one');
  const rows = await Promise.all(Array.from({ length: 50 }, () => readyRow(store)));
  for (const row of rows) sender.send(row);
  for (const { resourceId } of rows) await eventually('done', async () => !(await rowOf(store, resourceId)));
  for (const { resourceId } of rows) t.deepEqual(await eventsOf(store, resourceId), ['made by one']);
});

storesFor('what a scheduler does not get because it is gone, another one gets', async (t, store) => {
  const { installation, sender } = senderIn(t, store);
  const server = await scheduler(t, store, installation, 'one');
  await server.stop(0);
  await scheduler(t, store, installation, 'two');
  const row = await readyRow(store);
  await aged(store, row.resourceId, 10_000);
  sender.start();
  await eventually('done', async () => !(await rowOf(store, row.resourceId)));
  t.deepEqual(await eventsOf(store, row.resourceId), ['made by two']);
});

storesFor('a scheduler that has enough to do leaves the row to be sent again', async (t, store) => {
  const { installation, sender } = senderIn(t, store);
  await scheduler(t, store, installation, 'one', 0);
  const row = await readyRow(store);
  sender.send(row);
  await eventually('it rests', async () => ((await rowOf(store, row.resourceId))?.not_before ?? 0) > 0);
  t.like(await rowOf(store, row.resourceId), { state: 'ready', epoch: 1, owner: null });
});

/** A sender whose peers are the schedulers of an installation. */
function senderIn(t: ExecutionContext, store: Store) {
  const installation = new Installation();
  const client = schedulerClient(t, installation);
  const transport = { deliver: client.deliver.bind(client) };
  const sender = new CastSender({ store, transport, messageTtlMs: 60_000, sweepIntervalMs: 20 });
  t.teardown(() => sender.stop());
  return { installation, sender };
}

/** A scheduler's server whose work is a note in the volume's events. */
async function scheduler(
  t: ExecutionContext,
  store: Store,
  installation: Installation,
  owner: string,
  maxInFlight = 1_024,
) {
  const casts = new CastReceiver({
    store,
    binary: 'cinder-scheduler',
    owner,
    handlers: new Map([['CreateVolume', working(store)]]),
    serviceFor: () => 'service-1',
    maxInFlight,
  });
  t.teardown(() => casts.stop(0));
  const server = await schedulerServer(t, { casts });
  installation.add(server, '3.12', owner);
  return server;
}
