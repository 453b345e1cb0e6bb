import test from 'ava';
import { claimsOnBackend, recordsOfBackend } from '#src/db/backend-records.js';
import type { Store } from '#src/db/store.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { GIB, type StoredVolume } from '#src/drivers/driver.js';
import { inspect } from '#src/volume/inspection.js';
import { Gate } from '../support/gate.js';
import { storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';
import { hookedDriver, volumeService } from './volume-service.js';

const BACKEND = 'alpha@file';

storesFor('the records of a backend are all found, and no others', async (t, store) => {
  const mine = [await placed(store, `${BACKEND}#pool`), await placed(store, `${BACKEND}#other`)];
  for (const host of ['alpha@file2#pool', 'alpha@fil#pool', 'alph@file#pool', 'zalpha@file#pool'])
    await placed(store, host);
  await recorded(store);
  const gone = await placed(store, `${BACKEND}#pool`);
  await store.apply([transition('undoCreate', { id: gone })]);

  const found: string[] = [];
  for await (const page of recordsOfBackend(store, BACKEND)) found.push(...page.map(({ id }) => id));

  t.deepEqual(found.sort(), mine.sort());
});

test('a backend with more records than a page has them all', async (t) => {
  const service = await volumeService(t);
  const ids = await Promise.all(Array.from({ length: 2_100 }, () => placed(service.store, 'beta@file#pool')));

  const found: string[] = [];
  for await (const page of recordsOfBackend(service.store, 'beta@file')) found.push(...page.map(({ id }) => id));

  t.is(new Set(found).size, ids.length);
});

test('only claimed work of the backend counts as claimed', async (t) => {
  const gate = new Gate();
  const service = await volumeService(t, { driver: hookedDriver({ before: () => gate.enter() }) });
  const ready = await service.placed();
  t.deepEqual(await claimsOnBackend(service.store, BACKEND), new Map());
  await service.deliver([ready]);
  t.deepEqual(await claimsOnBackend(service.store, BACKEND), new Map([[ready.id, 2]]));
  gate.open();
  await service.next();
  t.deepEqual(await claimsOnBackend(service.store, BACKEND), new Map());
});

test('a volume without a record, in another pool or of another size is a stray', async (t) => {
  const findings = await inspect(
    [complete('unknown'), complete('moved', 'other'), complete('small', 'pool', GIB / 2), complete('good')],
    pages(record('moved'), record('small'), record('good')),
    new Map(),
  );

  t.deepEqual(findings.strays.map(({ volume }) => volume.id).sort(), ['moved', 'small', 'unknown']);
  t.deepEqual(
    findings.missing.map(({ id }) => id),
    ['moved'],
  );
  t.deepEqual(findings.allocated.length, 3);
});

test('a record whose volume is not there is reported, unless its status explains that', async (t) => {
  const absent = [
    'creating',
    'downloading',
    'managing',
    'error_managing',
    'error',
    'deleting',
    'error_deleting',
  ] as const;
  const statuses = ['available', 'in-use', ...absent] as const;
  const findings = await inspect([], pages(...statuses.map((status) => ({ ...record(status), status }))), new Map());

  t.deepEqual(
    findings.missing.map(({ status }) => status),
    ['available', 'in-use'],
  );
});

test('what is half-made is abandoned, unless the claimed work on the volume is the one that made it', async (t) => {
  const stored: StoredVolume[] = [
    { kind: 'half-made', id: 'claimed', pool: 'pool', epoch: 4 },
    { kind: 'half-made', id: 'claimed', pool: 'pool', epoch: 2 },
    { kind: 'half-made', id: 'nobody', pool: 'pool', epoch: 4 },
  ];
  const { abandoned } = await inspect(stored, pages(), new Map([['claimed', 4]]));
  t.deepEqual(abandoned, stored.slice(1));
});

test('a migrated volume is known by its name on the storage', async (t) => {
  const { strays, missing } = await inspect([complete('name')], pages({ ...record('id'), nameId: 'name' }), new Map());
  t.deepEqual([strays, missing], [[], []]);
});

async function placed(store: Store, host: string): Promise<string> {
  const { id } = await recorded(store);
  await store.apply([placeVolume({ id, host, clusterName: null, availabilityZone: 'nova' })]);
  return id;
}

function complete(id: string, pool = 'pool', sizeBytes = GIB): StoredVolume {
  return { kind: 'complete', id, pool, sizeBytes };
}

function record(id: string) {
  return { id, nameId: id, host: `${BACKEND}#pool`, sizeGib: 1, status: 'available' as const };
}

async function* pages<Row>(...rows: Row[]): AsyncGenerator<readonly Row[]> {
  yield rows;
}
