import { randomUUID } from 'node:crypto';
import { deleteIdempotencyOf, findIdempotency, insertIdempotency } from '#src/db/idempotency.js';
import { insertMessage, listMessages, type Message, type MessageList } from '#src/db/messages.js';
import { installationSecret } from '#src/db/secrets.js';
import { UniqueViolation } from '#src/db/store.js';
import { storesFor } from '../support/sql.js';

const KEY = { projectId: 'p', userId: 'u', rpc: 'Volumes/CreateVolume', key: 'k' };
const REQUEST = { requestHash: 'abc', resourceId: 'v1' };

storesFor('an idempotency key is taken once, by whoever is first', async (t, store) => {
  const [first, second] = await Promise.allSettled([
    store.apply([insertIdempotency(KEY, REQUEST)]),
    store.apply([insertIdempotency(KEY, { requestHash: 'abc', resourceId: 'v2' })]),
  ]);
  const lost = [first, second].filter((end) => end.status === 'rejected');
  t.is(lost.length, 1);
  t.true(lost[0]?.reason instanceof UniqueViolation);
  t.is((await findIdempotency(store, KEY))?.resourceId, first.status === 'fulfilled' ? 'v1' : 'v2');
});

storesFor('an idempotency key is its own in another project, user or rpc, and free after an undo', async (t, store) => {
  await store.apply([insertIdempotency(KEY, REQUEST)]);
  for (const other of [{ projectId: 'q' }, { userId: 'w' }, { rpc: 'Volumes/DeleteVolume' }, { key: 'l' }]) {
    t.is(await findIdempotency(store, { ...KEY, ...other }), undefined);
  }
  t.deepEqual(await findIdempotency(store, KEY), REQUEST);
  await store.apply([deleteIdempotencyOf('v1')]);
  t.is(await findIdempotency(store, KEY), undefined);
});

const message = (resourceId: string, projectId = 'p') =>
  insertMessage({
    ...{ id: randomUUID(), projectId, requestId: 'req-1', resourceType: 'VOLUME', resourceId },
    ...{ actionId: '001', detailId: '003', text: `about ${resourceId}`, ttlMs: 1_000 },
  });

storesFor("a project's messages are listed newest first, a page at a time", async (t, store) => {
  for (const resource of ['a', 'b', 'a', 'c', 'a']) await store.apply([message(resource)]);
  await store.apply([message('a', 'q')]);
  const all = async (list: Omit<MessageList, 'projectId' | 'limit'> = {}) => {
    const listed: Message[] = [];
    for (let after: Message | undefined; ; after = listed.at(-1)) {
      const page = await listMessages(store, { projectId: 'p', limit: 2, ...list, ...(after && { after }) });
      listed.push(...page);
      if (page.length < 2) return listed;
    }
  };
  const listed = await all();
  t.is(new Set(listed.map(({ id }) => id)).size, 5);
  t.deepEqual(
    listed,
    listed.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1)),
  );
  t.is((await all({ resourceId: 'a' })).length, 3);
  t.like(listed[0], { eventId: 'VOLUME_VOLUME_001_003', level: 'ERROR', requestId: 'req-1' });
  t.true(listed.every(({ createdAt, expiresAt }) => expiresAt - createdAt >= 1_000));
});

storesFor('all who ask for a secret at the same time get the same one, and another name another', async (t, store) => {
  const secrets = await Promise.all(Array.from({ length: 8 }, () => installationSecret(store, 'tokens')));
  t.is(new Set(secrets.map((secret) => secret.toString('hex'))).size, 1);
  t.is(secrets[0]?.length, 32);
  t.notDeepEqual(await installationSecret(store, 'other'), secrets[0]);
});
