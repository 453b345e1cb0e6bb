import { CommitUnknown } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import { eventually } from '../support/redis.js';
import { storesFor } from '../support/sql.js';
import { receiverFor, working } from './receiver-for.js';
import { eventsOf, incoming, readyRow, rowOf } from './rows.js';

const CREATE = { work: 'create' } as const;

storesFor('work that meets a database that is away, or does not say what it did, is tried again', async (t, store) => {
  for (const outage of [new Fault('DatabaseUnavailable', { reason: 'a table is locked' }), new CommitUnknown('gone')]) {
    const row = await readyRow(store, CREATE);
    let attempts = 0;
    const handlers = new Map([
      [
        'CreateVolume',
        working(store, () => {
          attempts += 1;
          if (attempts === 1) throw outage;
        }),
      ],
    ]);
    const { receiver, next } = receiverFor(t, store, { handlers });
    await receiver.deliver([incoming(row)]);
    t.like(await next(), { ended: 'stuck', error: outage });
    await eventually('the row is given back', async () => (await rowOf(store, row.resourceId))?.state === 'ready');
    t.like(await rowOf(store, row.resourceId), { owner: null, epoch: 3, claims: 0 });
    t.deepEqual(await eventsOf(store, row.resourceId), []);

    await receiver.deliver([incoming({ ...row, epoch: 3 })]);
    t.like(await next(), { ended: 'done', claim: { claims: 1 } });
  }
});
