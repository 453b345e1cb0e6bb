import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { statement } from '#src/db/statement.js';
import type { Step, Store } from '#src/db/store.js';
import type { VolumeFilters } from '#src/db/volume-filters.js';
import { countVolumes, listVolumes, type VolumeList } from '#src/db/volume-list.js';
import { type SortKey, SORT_KEYS, type VolumeCursor, type VolumeOrder } from '#src/db/volume-order.js';
import { transition } from '#src/db/volume-transitions.js';
import { findVolume, findVolumes, insertVolume } from '#src/db/volumes.js';
import type { Volume } from '#src/objects/volume.js';
import { storesFor } from '../support/sql.js';
import { newVolume } from '../support/volumes.js';

const RUNS = 25;

storesFor('without an order the newest come first; without a project they are of all', async (t, store) => {
  const first = await kept(store, { projectId: 'p1' });
  const second = await kept(store, { projectId: 'p2' });
  t.deepEqual(await idsOf(store, {}), [second.id, first.id]);
  t.deepEqual(await idsOf(store, { filters: { projectId: 'p1' } }), [first.id]);
});

/** Rows with many ties and many nulls. */
const rows: fc.Arbitrary<Partial<Volume>[]> = fc.array(
  fc.record({
    name: fc.constantFrom(null, '', 'a', 'B', 'é', '🙂'),
    sizeGib: fc.constantFrom(1, 2, 1_000),
    availabilityZone: fc.constantFrom(null, 'nova', 'z2'),
    bootable: fc.boolean(),
    host: fc.constantFrom(null, 'h1@b#p', 'h2@b#p'),
    status: fc.constantFrom('creating', 'available', 'error'),
    createdAt: fc.constantFrom(1, 2, 3),
    updatedAt: fc.constantFrom(3, 4),
    projectId: fc.constantFrom('p1', 'p2'),
  }),
  { maxLength: 24 },
);
const order: fc.Arbitrary<VolumeOrder> = fc.record({
  key: fc.constantFrom(...SORT_KEYS),
  direction: fc.constantFrom('asc', 'desc'),
});
const scope = fc.constantFrom<VolumeFilters>(
  {},
  { projectId: 'p1' },
  { projectId: 'p1', statuses: ['available', 'error'] },
);

storesFor('the pages of any order and length, one after the other, are the sorted list', async (t, store) => {
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(rows, order, scope, fc.integer({ min: 1, max: 9 }), async (made, sorted, filters, limit) => {
        const all = await onlyThese(store, made);
        const expected = all
          .filter(fits(filters))
          .toSorted(compare(sorted))
          .map(({ id }) => id);
        const pages = await paged(store, { filters, order: sorted, limit });
        t.deepEqual(pages.flat(), expected);
        t.true(pages.slice(0, -1).every((page) => page.length === limit));
        t.is(await countVolumes(store, filters), expected.length);
      }),
      { numRuns: RUNS },
    ),
  );
});

storesFor('what stays is listed once, whatever comes and goes between the pages', async (t, store) => {
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(rows, rows, order, fc.integer({ min: 1, max: 5 }), async (made, added, sorted, limit) => {
        const all = await onlyThese(store, made);
        const going = all.filter((_, index) => index % 3 === 0).map(({ id }) => id);
        const coming = [...added];
        const listed = (
          await paged(store, { order: sorted, limit }, async () => {
            const [gone, come] = [going.pop(), coming.pop()];
            await store.apply([
              ...(gone ? [{ statement: destroy.with({ id: gone }) }] : []),
              ...(come ? put({ ...come, id: randomUUID() }) : []),
            ]);
          })
        ).flat();
        t.is(new Set(listed).size, listed.length, 'nothing is repeated');
        const stayed = all.filter((_, index) => index % 3 !== 0).toSorted(compare(sorted));
        const seen = new Set(stayed.map(({ id }) => id));
        t.deepEqual(
          listed.filter((id) => seen.has(id)),
          stayed.map(({ id }) => id),
          'nothing is lost, and all in its order',
        );
      }),
      { numRuns: RUNS },
    ),
  );
});

storesFor('a page ends before it gets too long, and goes on from there', async (t, store) => {
  const metadata = new Map(Array.from({ length: 100 }, (_, index) => [`key-${index}`, '🙂'.repeat(250)]));
  for (let index = 0; index < 5; index += 1) await kept(store, { metadata });
  const list = { limit: 10, maxBytes: 250_000 };
  const pages = await paged(store, list);
  t.deepEqual(
    pages.map(({ length }) => length),
    [2, 2, 1],
  );
  t.is((await paged(store, { ...list, maxBytes: 1 })).length, 5, 'a page has one volume at least');
  t.deepEqual((await listVolumes(store, list)).volumes[0]?.metadata, new Map([...metadata].sort()));
});

type Case = readonly [what: string, filters: VolumeFilters, fitting: Partial<Volume>, not: Partial<Volume>];

const ID = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';

/** One that fits and one that does not, by filter. */
const CASES: readonly Case[] = [
  ['name', { name: 'a' }, { name: 'a' }, { name: 'A' }],
  ['an empty name, which is not none', { name: '' }, { name: '' }, { name: null }],
  ['a part of the name', { nameContains: '%_b' }, { name: 'x%_b' }, { name: 'x%_B' }],
  ['one status', { statuses: ['error'] }, { status: 'error' }, { status: 'available' }],
  ['statuses', { statuses: ['error', 'creating'] }, { status: 'creating' }, { status: 'available' }],
  ['type', { volumeTypeId: ID }, { volumeTypeId: ID }, { volumeTypeId: OTHER }],
  ['zone', { availabilityZone: 'z1' }, { availabilityZone: 'z1' }, { availabilityZone: null }],
  ['bootable', { bootable: true }, { bootable: true }, { bootable: false }],
  ['not bootable', { bootable: false }, { bootable: false }, { bootable: true }],
  ['multiattach', { multiattach: true }, { multiattach: true }, { multiattach: false }],
  ['not multiattach', { multiattach: false }, { multiattach: false }, { multiattach: true }],
  ['snapshot', { snapshotId: ID }, { snapshotId: ID }, { snapshotId: OTHER }],
  ['source volume', { sourceVolumeId: ID }, { sourceVolumeId: ID }, { sourceVolumeId: null }],
  ['group', { groupId: ID }, { groupId: ID }, { groupId: null }],
  ['user', { userId: 'me' }, { userId: 'me' }, { userId: 'you' }],
  ['pool', { host: 'h1@b#p' }, { host: 'h1@b#p' }, { host: 'h1@b#p2' }],
  ['backend', { host: 'h1@b' }, { host: 'h1@b#p' }, { host: 'h1@b2#p' }],
  ['host', { host: 'h1' }, { host: 'h1@b#p' }, { host: 'h1-2@b#p' }],
  ['created after', { createdAt: { gt: 5 } }, { createdAt: 6 }, { createdAt: 5 }],
  ['created from then until', { createdAt: { gte: 5, lt: 9 } }, { createdAt: 5 }, { createdAt: 9 }],
  ['updated until', { updatedAt: { lte: 5 } }, { updatedAt: 5 }, { updatedAt: 6 }],
  ['updated at', { updatedAt: { eq: 5 } }, { updatedAt: 5 }, { updatedAt: 4 }],
  ['not updated at', { updatedAt: { neq: 5 } }, { updatedAt: 6 }, { updatedAt: 5 }],
  ['ids', { ids: [ID, OTHER] }, { id: ID }, { id: '33333333-3333-4333-8333-333333333333' }],
  [
    'metadata',
    {
      metadata: new Map([
        ['k', 'v'],
        ['__proto__', ''],
      ]),
    },
    {
      metadata: new Map([
        ['k', 'v'],
        ['__proto__', ''],
        ['more', 'x'],
      ]),
    },
    {
      metadata: new Map([
        ['k', 'v'],
        ['__proto__', 'v'],
      ]),
    },
  ],
];

storesFor('each filter finds what fits and nothing else, in every order', async (t, store) => {
  for (const [what, filters, fitting, not] of CASES) {
    await onlyThese(store, []);
    const { id } = await kept(store, fitting);
    await kept(store, not);
    await kept(store, { ...fitting, id: randomUUID(), projectId: 'p2' });
    const own: VolumeFilters = { ...filters, projectId: 'p1' };
    for (const key of SORT_KEYS) {
      t.deepEqual(await idsOf(store, { filters: own, order: { key, direction: 'asc' } }), [id], `${what}, by ${key}`);
    }
    t.is(await countVolumes(store, own), 1, what);
  }
});

storesFor('filters narrow together, and a deleted volume fits none', async (t, store) => {
  const { id } = await kept(store, { name: 'a', sizeGib: 2 });
  await kept(store, { name: 'b', sizeGib: 2 });
  const filters: VolumeFilters = {
    name: 'a',
    bootable: false,
    statuses: ['creating'],
    userId: 'u1',
    updatedAt: { gt: 0 },
  };
  t.deepEqual(await idsOf(store, { filters }), [id]);
  await store.apply([transition('undoCreate', { id })]);
  t.deepEqual(await idsOf(store, { filters }), []);
  t.is(await countVolumes(store, {}), 1);
});

storesFor('a filter that many fit and one that few fit find the same', async (t, store) => {
  const many = Array.from({ length: 1_005 }, () => newVolume({ metadata: new Map([['all', 'of them']]) }));
  for (let from = 0; from < many.length; from += 100) {
    await store.apply(many.slice(from, from + 100).flatMap((volume) => insertVolume(volume)));
  }
  const { id } = await kept(store, {
    name: 'rare',
    metadata: new Map([
      ['all', 'of them'],
      ['this', 'one'],
    ]),
  });
  const byMetadata = (metadata: Record<string, string>): VolumeFilters => ({
    projectId: 'p1',
    metadata: new Map(Object.entries(metadata)),
  });
  t.is(await countVolumes(store, byMetadata({ all: 'of them' })), 1_006);
  t.is((await paged(store, { filters: byMetadata({ all: 'of them' }), limit: 300 })).flat().length, 1_006);
  for (const filters of [byMetadata({ all: 'of them', this: 'one' }), { projectId: 'p1', name: 'rare' }]) {
    t.deepEqual(await idsOf(store, { filters, order: { key: 'size', direction: 'desc' } }), [id]);
  }
});

/** All pages, as ids. */
async function paged(
  store: Store,
  list: VolumeList,
  between = async (): Promise<void> => undefined,
): Promise<string[][]> {
  const pages: string[][] = [];
  for (let after: VolumeCursor | undefined, first = true; first || after; first = false) {
    const { volumes, next } = await listVolumes(store, { ...list, after });
    pages.push(volumes.map(({ id }) => id));
    await between();
    after = next;
  }
  return pages;
}

async function idsOf(store: Store, list: Omit<VolumeList, 'limit'>): Promise<readonly string[]> {
  return (await listVolumes(store, { ...list, limit: 10 })).volumes.map(({ id }) => id);
}

/** Records a volume with exactly these values. */
async function kept(store: Store, values: Partial<Volume>): Promise<Volume> {
  const id = values.id ?? randomUUID();
  await store.apply(put({ ...values, id }));
  return (await findVolume(store, { id })) as Volume;
}

/** Replaces all volumes by these. */
async function onlyThese(store: Store, made: readonly Partial<Volume>[]): Promise<readonly Volume[]> {
  const ids = made.map(() => randomUUID());
  await store.apply([
    { statement: forget.with({}) },
    ...made.flatMap((values, index) => put({ ...values, id: ids[index] ?? '' })),
  ]);
  return findVolumes(store, ids);
}

function put({
  host = null,
  status = 'creating',
  createdAt,
  updatedAt,
  ...given
}: Partial<Volume> & { readonly id: string }): readonly Step[] {
  const { id, availabilityZone = 'nova' } = given;
  const at = { createdAt: createdAt ?? null, updatedAt: updatedAt ?? null };
  return [
    ...insertVolume(newVolume(given)),
    { statement: make.with({ id, host, status, availabilityZone, ...at }), rows: 1 },
  ];
}

interface MadeParams {
  readonly id: string;
  readonly host: string | null;
  readonly status: string;
  readonly availabilityZone: string | null;
  readonly createdAt: number | null;
  readonly updatedAt: number | null;
}

const make = statement<MadeParams>()(({ db }, p) =>
  db
    .updateTable('volumes')
    .set({
      host: p.host,
      status: p.status,
      availability_zone: p.availabilityZone,
      created_at: sql<number>`coalesce(cast(${p.createdAt} as bigint), created_at)`,
      updated_at: sql<number>`coalesce(cast(${p.updatedAt} as bigint), updated_at)`,
    })
    .where('id', '=', p.id),
);

const forget = statement()(({ db }) => db.deleteFrom('volumes'));

const destroy = statement<{ id: string }>()(({ db, now }, p) =>
  db.updateTable('volumes').set({ deleted_at: now }).where('id', '=', p.id),
);

function fits({ projectId, statuses }: VolumeFilters): (volume: Volume) => boolean {
  return (volume) =>
    (projectId === undefined || volume.projectId === projectId) && (!statuses || statuses.includes(volume.status));
}

/** The order in words of its own: none before all, texts by their code points. */
function compare({ key, direction }: VolumeOrder): (a: Volume, b: Volume) => number {
  const sign = direction === 'asc' ? 1 : -1;
  return (a, b) =>
    sign * (compareValues(VALUES[key](a), VALUES[key](b)) || a.createdAt - b.createdAt || compareValues(a.id, b.id));
}

type Value = string | number | boolean | null;

function compareValues(a: Value, b: Value): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Number(a) - Number(b);
}

const VALUES: Readonly<Record<SortKey, (volume: Volume) => Value>> = {
  created_at: (volume) => volume.createdAt,
  id: (volume) => volume.id,
  name: (volume) => volume.name,
  size: (volume) => volume.sizeGib,
  status: (volume) => volume.status,
  host: (volume) => volume.host,
  availability_zone: (volume) => volume.availabilityZone,
  bootable: (volume) => volume.bootable,
  updated_at: (volume) => volume.updatedAt,
};
