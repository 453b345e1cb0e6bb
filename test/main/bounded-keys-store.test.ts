import test from 'ava';
import { deleteIdempotencyOf, insertIdempotency } from '#src/db/idempotency.js';
import type { Store, Unit } from '#src/db/store.js';
import { boundedKeysStore } from '#src/main/bounded-keys-store.js';
import { storesFor } from '../support/sql.js';

const REQUEST = { requestHash: 'hash', resourceId: 'volume' };

function taking(projectId: string, key: string): Unit {
  return [insertIdempotency({ projectId, userId: 'user', rpc: 'rpc', key }, REQUEST)];
}

/** The same store, with its reads counted. */
function counted(store: Store): Store & { readonly reads: () => number } {
  let reads = 0;
  return {
    dialect: store.dialect,
    apply: (unit) => store.apply(unit),
    close: () => store.close(),
    read: (statement) => {
      reads += 1;
      return store.read(statement);
    },
    reads: () => reads,
  };
}

storesFor(
  'a project has as many keys as the limit, whoever takes them at once, and other projects as many again',
  async (t, store) => {
    const bounded = boundedKeysStore(store, { limit: 5 });
    await store.apply(taking('full', 'before'));
    const ends = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => bounded.apply(taking('full', String(index)))),
    );
    t.is(ends.filter(({ status }) => status === 'fulfilled').length, 4);
    await t.throwsAsync(bounded.apply(taking('full', 'one more')), {
      name: 'TooManyIdempotencyKeys',
      message: /has 5 idempotency keys already/,
    });
    await t.notThrowsAsync(bounded.apply(taking('other', 'a')));
    await t.notThrowsAsync(bounded.apply([]), 'what takes no key is none of its business');
  },
);

storesFor('keys are counted once a minute, not once a request', async (t, store) => {
  const counting = counted(store);
  let now = 0;
  const bounded = boundedKeysStore(counting, { limit: 2, recountMs: 60_000, now: () => now });
  const other = boundedKeysStore(store, { limit: 10 });
  await bounded.apply(taking('p', '1'));
  await other.apply(taking('p', '2'));
  await bounded.apply(taking('p', '3'));
  for (let index = 0; index < 10; index += 1) await t.throwsAsync(bounded.apply(taking('p', `${index}+`)));
  t.is(counting.reads(), 1);
  now = 60_001;
  await t.throwsAsync(bounded.apply(taking('p', '4')), { name: 'TooManyIdempotencyKeys' }, 'what others took is seen');
  t.is(counting.reads(), 2);
  await store.apply([deleteIdempotencyOf(REQUEST.resourceId)]);
  now = 120_002;
  await t.notThrowsAsync(bounded.apply(taking('p', '5')), 'what was purged is free');
});

storesFor('a unit that is refused takes no key', async (t, store) => {
  const bounded = boundedKeysStore(store, { limit: 2 });
  await bounded.apply(taking('p', '1'));
  for (let index = 0; index < 5; index += 1) {
    await t.throwsAsync(bounded.apply(taking('p', '1')), { name: 'UniqueViolation' });
  }
  await t.notThrowsAsync(bounded.apply(taking('p', '2')));
  await t.throwsAsync(bounded.apply(taking('p', '3')), { name: 'TooManyIdempotencyKeys' });
});

test('a count that cannot be read is read again by the next request', async (t) => {
  let fails = true;
  const store: Store = {
    dialect: 'sqlite',
    apply: async () => [],
    close: async () => undefined,
    read: async <Row>() => {
      if (fails) throw new Error('gone');
      return [{ keys: 0 } as Row];
    },
  };
  const bounded = boundedKeysStore(store, { limit: 1 });
  await t.throwsAsync(bounded.apply(taking('p', '1')), { message: 'gone' });
  fails = false;
  await t.notThrowsAsync(bounded.apply(taking('p', '1')));
});
