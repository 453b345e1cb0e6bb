import { randomUUID } from 'node:crypto';
import { listVolumes } from '#src/db/volume-list.js';
import { findVolume, findVolumes, insertedVolume, insertVolume } from '#src/db/volumes.js';
import { transition } from '#src/db/volume-transitions.js';
import { UniqueViolation } from '#src/db/store.js';
import { storesFor } from '../support/sql.js';
import { newVolume, recorded } from '../support/volumes.js';

storesFor(
  'a recorded volume is read back as it was given, and as the writer knows it without reading',
  async (t, store) => {
    const given = newVolume({ name: null, bootable: true, metadata: new Map([['k', 'v']]), snapshotId: randomUUID() });
    const [first] = await store.apply(insertVolume(given));
    const found = await findVolume(store, { id: given.id });
    t.like(found, {
      ...given,
      revision: 1,
      host: null,
      attachStatus: 'detached',
      sharedTargets: true,
      deletedAt: null,
    });
    t.true(Math.abs((found?.createdAt ?? 0) - Date.now()) < 5_000);
    t.deepEqual(first && insertedVolume(given, first), found);
  },
);

storesFor('metadata keeps every key, also those that objects know', async (t, store) => {
  const metadata = new Map([
    ['__proto__', 'polluted'],
    ['constructor', ''],
    ['ключ "\'\\ ', 'naïve\n🙂'],
    ['a', '[["b","c"]]'],
  ]);
  const { id } = await recorded(store, { metadata });
  const found = await findVolume(store, { id });
  t.deepEqual(new Map([...(found?.metadata ?? [])].sort()), new Map([...metadata].sort()));
  t.is(({} as { polluted?: string }).polluted, undefined);
});

storesFor('a volume is not there for another project, nor when it is deleted', async (t, store) => {
  const { id } = await recorded(store);
  t.is(await findVolume(store, { id, projectId: 'p2' }), undefined);
  t.is((await findVolume(store, { id, projectId: 'p1' }))?.id, id);
  await store.apply([transition('undoCreate', { id })]);
  t.is(await findVolume(store, { id }), undefined);
  t.deepEqual(await findVolumes(store, [id]), []);
  t.deepEqual((await listVolumes(store, { limit: 10 })).volumes, []);
});

storesFor('several volumes are found in one query, unknown ids are not', async (t, store) => {
  const ids = [await recorded(store), await recorded(store)].map(({ id }) => id);
  const found = await findVolumes(store, [...ids, randomUUID()]);
  t.deepEqual(found.map(({ id }) => id).sort(), ids.sort());
  t.deepEqual(await findVolumes(store, []), []);
});

storesFor('a volume cannot be recorded twice', async (t, store) => {
  const volume = await recorded(store);
  const error = await t.throwsAsync(store.apply(insertVolume(volume)), { instanceOf: UniqueViolation });
  t.is(error.step, 0);
});
