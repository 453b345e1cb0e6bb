import test from 'ava';
import { idempotent } from '#src/api/idempotent.js';
import { appendVolumeEvent } from '#src/db/events.js';
import { CommitUnknown, type Store } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import { CONTEXT, eventsOf } from '../casts/rows.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const RPC = 'cinder.api.v3.Volumes/UpdateVolume';
const ONCE = { rpc: RPC, key: 'once', requestHash: 'a' };

storesFor('a request that is sent several times at once, and once more, has one effect', async (t, store) => {
  const { id } = await recorded(store);
  const { ask } = requests(store, id);
  const answers = [...(await Promise.all([1, 2, 3, 4].map(() => ask(ONCE)))), await ask(ONCE)];
  t.deepEqual(answers.toSorted(), [...Array<string>(4).fill(`again ${id}`), 'done']);
  t.is((await eventsOf(store, id)).filter((type) => type === 'volume.update').length, 1);
});

storesFor(
  'a key that stands for other parameters is refused, also when both requests come at once',
  async (t, store) => {
    const { id } = await recorded(store);
    const { ask } = requests(store, id);
    const both = await Promise.allSettled([ask(ONCE), ask({ ...ONCE, requestHash: 'b' })]);
    t.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const loser = both.find((one) => one.status === 'rejected');
    t.true(Fault.is(loser?.reason, 'IdempotencyKeyReused'));
  },
);

test('without a key every request has its effect', async (t) => {
  const store = await sqliteStore(t);
  const { id } = await recorded(store);
  const { ask } = requests(store, id);
  t.deepEqual([await ask(undefined), await ask(undefined)], ['done', 'done']);
});

test('a key belongs to its user and to its method', async (t) => {
  const store = await sqliteStore(t);
  const { id } = await recorded(store);
  const { ask } = requests(store, id);
  t.is(await ask(ONCE), 'done');
  t.is(await ask(ONCE, { context: { ...CONTEXT, userId: 'another' } }), 'done');
  t.is(await ask({ ...ONCE, rpc: 'cinder.api.v3.Volumes/DeleteVolume' }), 'done');
});

test('a refusal leaves the key free, and is the answer', async (t) => {
  const store = await sqliteStore(t);
  const { id } = await recorded(store);
  const { ask } = requests(store, id);
  const refusal = new Fault('VolumeNotFound', { volumeId: id });
  t.is(await t.throwsAsync(ask(ONCE, { write: () => Promise.reject(refusal) })), refusal);
  t.is(await ask(ONCE), 'done');
});

test('a unit of which nobody knew whether it was committed is known by its key', async (t) => {
  const store = await sqliteStore(t);
  const { id } = await recorded(store);
  const lost: Store = {
    ...{ dialect: store.dialect, read: (statement) => store.read(statement), close: () => store.close() },
    async apply(unit) {
      await store.apply(unit);
      throw new CommitUnknown('the connection broke');
    },
  };
  t.is(await requests(lost, id).ask(ONCE), `again ${id}`);
});

test('when the key cannot be read after a failure, the failure is the answer', async (t) => {
  const store = await sqliteStore(t);
  const { id } = await recorded(store);
  const { ask } = requests(store, id);
  const failure = new Error('broken');
  const write = async (): Promise<never> => {
    await store.close();
    throw failure;
  };
  t.is(await t.throwsAsync(ask(ONCE, { write })), failure);
});

/** Requests that append one event to a volume. */
function requests(store: Store, volumeId: string) {
  const event = appendVolumeEvent({ volumeId, type: 'volume.update', requestId: CONTEXT.requestId });
  type Write = Parameters<typeof idempotent<string>>[1];
  const append: Write = async (take) => {
    await store.apply([event, ...take(volumeId)]);
    return 'done';
  };
  const ask = (
    idempotency: typeof ONCE | undefined,
    { write = append, ...more }: { context?: typeof CONTEXT; write?: Write } = {},
  ) => idempotent({ store, context: CONTEXT, ...more, idempotency }, write, async (id) => `again ${id}`);
  return { ask };
}
