import { randomUUID } from 'node:crypto';
import test from 'ava';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import {
  ListVolumesRequest,
  ListVolumesResponse,
  TimeFilter,
  VolumeFilter,
  VolumesService,
  VolumeStatus,
} from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, refused } from '../support/api.js';
import { recordsApi } from '../support/records-api.js';
import { recorded } from '../support/volumes.js';

const { listVolumes } = VolumesService;

type Asked = Omit<Partial<ListVolumesRequest>, 'filter'> & { readonly filter?: Partial<VolumeFilter> };

const request = ({ filter, ...asked }: Asked = {}): ListVolumesRequest =>
  ListVolumesRequest.create({ ...asked, ...(filter && { filter: VolumeFilter.create(filter) }) });

const at = (times: Partial<TimeFilter>): TimeFilter => TimeFilter.create(times);

test('a list is of one’s own project, the newest first, with a count when it is asked for', async (t) => {
  const { store, call } = await recordsApi(t);
  const first = await recorded(store);
  const second = await recorded(store);
  await recorded(store, { projectId: 'p2' });
  const list = answered(await call(listVolumes, request({ withCount: true })));
  t.deepEqual(list.volumes.map(({ id }) => id).sort(), [first.id, second.id].sort());
  t.is(list.totalCount, 2);
  t.is(answered(await call(listVolumes, request())).totalCount, undefined);
});

test('filters and an order travel through every page, and its token fits no other list', async (t) => {
  const { store, call } = await recordsApi(t);
  for (const sizeGib of [3, 1, 2, 9]) await recorded(store, { sizeGib, name: sizeGib === 9 ? 'other' : 'mine' });
  const asked = { pageSize: 2, sort: 'size:asc', filter: { name: 'mine', metadata: new Map<string, string>() } };
  const first = answered(await call(listVolumes, request({ ...asked, withCount: true })));
  const { nextPageToken: pageToken } = first;
  const second = answered(await call(listVolumes, request({ ...asked, pageToken, pageSize: 50 })));
  t.deepEqual(
    [...first.volumes, ...second.volumes].map(({ size }) => size),
    [1, 2, 3],
  );
  t.deepEqual([first.totalCount, second.nextPageToken], [3, '']);
  for (const other of [
    { ...asked, sort: 'size:desc' },
    { ...asked, sort: 'created_at:asc' },
    { ...asked, filter: { name: 'mine', bootable: false } },
    { ...asked, filter: {} },
  ]) {
    t.deepEqual(refused(await call(listVolumes, request({ ...other, pageToken }))).fields, ['page_token']);
  }
  const elsewhere = await call(listVolumes, request({ ...asked, pageToken }), { 'x-project-id': 'p2' });
  t.deepEqual(refused(elsewhere).fields, ['page_token']);
});

test('a page goes on after a name of the greatest length', async (t) => {
  const { store, call } = await recordsApi(t);
  for (const last of ['a', 'b']) await recorded(store, { name: '"🙂'.repeat(127) + last });
  const asked = { pageSize: 1, sort: 'name:asc' };
  const { nextPageToken: pageToken } = answered(await call(listVolumes, request(asked)));
  const [volume] = answered(await call(listVolumes, request({ ...asked, pageToken }))).volumes;
  t.true(volume?.name?.endsWith('b'));
});

test('every bad field is named in one answer', async (t) => {
  const { call } = await recordsApi(t);
  const now = new Date();
  const filter: Partial<VolumeFilter> = {
    name: 'x'.repeat(256),
    nameContains: 'ab',
    statuses: [VolumeStatus.ERROR, VolumeStatus.UNSPECIFIED, VolumeStatus.UNRECOGNIZED],
    snapshotId: 'x',
    sourceVolumeId: 'X'.repeat(36),
    groupId: '',
    metadata: new Map(Array.from({ length: 17 }, (_, index) => [`k${index}`, ''])),
    createdAt: at({}),
    updatedAt: at({ gt: now, lte: now }),
    ids: [randomUUID(), 'x'],
    userId: '',
    availabilityZone: '',
    volumeType: '',
  };
  const refusal = refused(await call(listVolumes, request({ pageSize: -1, sort: 'size:up', filter })));
  t.is(refusal.code, 'INVALID_ARGUMENT');
  const named = ['name', 'name_contains', 'statuses[1]', 'statuses[2]', 'snapshot_id', 'source_volume_id', 'group_id'];
  const more = ['metadata', 'created_at', 'updated_at', 'ids[1]', 'user_id', 'availability_zone', 'volume_type'];
  const fields = [...named, ...more].map((field) => `filter.${field}`);
  t.deepEqual(refusal.fields.toSorted(), ['page_size', 'sort', ...fields].toSorted());
});

for (const sort of ['colour', 'size:asc:asc', 'size:ASC', ':asc', 'name,size', 'size:asc,name:asc', '__proto__']) {
  test(`the order "${sort}" is refused by name`, async (t) => {
    const { call } = await recordsApi(t);
    t.deepEqual(refused(await call(listVolumes, request({ sort }))).fields, ['sort']);
  });
}

test('more than a thousand ids, and times that exclude one another, are refused', async (t) => {
  const { call } = await recordsApi(t);
  const ids = Array.from({ length: 1_001 }, () => randomUUID());
  t.deepEqual(refused(await call(listVolumes, request({ filter: { ids } }))).fields, ['filter.ids']);
  const [early, late] = [new Date(1_000), new Date(2_000)];
  for (const createdAt of [at({ gte: late, lt: early }), at({ gt: early, lt: new Date(1_001) })]) {
    t.deepEqual(refused(await call(listVolumes, request({ filter: { createdAt } }))).fields, ['filter.created_at']);
  }
  t.deepEqual(
    answered(await call(listVolumes, request({ filter: { createdAt: at({ gte: late, lte: late }) } }))).volumes,
    [],
  );
});

for (const [what, asked] of [
  ['a host', { filter: { host: 'h' } }],
  ['another project', { filter: { projectId: 'p2' } }],
  ['all projects', { filter: { allProjects: true } }],
  ['the order of hosts', { sort: 'host' }],
] as const) {
  test(`to ask for ${what} is for administrators`, async (t) => {
    const { store, call } = await recordsApi(t);
    const { id } = await recorded(store, { projectId: 'p2' });
    t.like(refused(await call(listVolumes, request(asked))), {
      code: 'PERMISSION_DENIED',
      reason: 'POLICY_NOT_AUTHORIZED',
    });
    const list = answered(await call(listVolumes, request(asked), ADMIN));
    t.deepEqual(
      list.volumes.map((volume) => volume.id),
      /project/.test(what) ? [id] : [],
    );
  });
}

test('a type is found by its id and by its name; one that there is not fits no volume', async (t) => {
  const { store, call } = await recordsApi(t);
  const { id } = await recorded(store, { volumeTypeId: DEFAULT_VOLUME_TYPE_ID });
  await recorded(store);
  for (const volumeType of [DEFAULT_VOLUME_TYPE_ID, '__DEFAULT__']) {
    const list = answered(await call(listVolumes, request({ filter: { volumeType } })));
    t.deepEqual(
      list.volumes.map((volume) => volume.id),
      [id],
    );
  }
  const none = answered(await call(listVolumes, request({ withCount: true, filter: { volumeType: 'nobody’s' } })));
  t.deepEqual([none.volumes, none.totalCount], [[], 0]);
});

test('a page of volumes with all the metadata they may have fits into a client’s message', async (t) => {
  const { store, call } = await recordsApi(t);
  const metadata = new Map(
    Array.from({ length: 128 }, (_, index) => [`${index}${'🙂'.repeat(252)}`, '🙂'.repeat(255)]),
  );
  for (let index = 0; index < 20; index += 1) await recorded(store, { metadata });
  const lengths: number[] = [];
  const ids = new Set<string>();
  for (let pageToken = '', first = true; first || pageToken !== ''; first = false) {
    const page = answered(await call(listVolumes, request({ pageSize: 1_000, pageToken })));
    lengths.push(ListVolumesResponse.encode(page).finish().length);
    for (const volume of page.volumes) ids.add(volume.id);
    pageToken = page.nextPageToken;
  }
  t.is(ids.size, 20);
  t.true(lengths.length > 1 && lengths.every((length) => length <= 4 * 1024 * 1024), lengths.join());
  t.true((lengths[0] ?? 0) > 3 * 1024 * 1024, 'and is not much shorter than it may be');
});
