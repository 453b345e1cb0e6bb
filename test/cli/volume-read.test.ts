import test from 'ava';

import { VolumeStatus, type ListVolumesRequest } from '#src/gen/cinder/api/v3/volumes.js';
import { statusWord } from '#src/cli/volume-status.js';
import { cli, fakeApiFor, volume, volumeType } from '../support/cli.js';

const ID = volume().id;

test('list follows the pages to the end, with the columns of OpenStack', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: ({ pageToken }) =>
      pageToken === ''
        ? { volumes: [volume({ id: 'b', status: VolumeStatus.IN_USE })], nextPageToken: 'two' }
        : { volumes: [volume({ id: 'a', name: undefined, status: VolumeStatus.ERROR_BACKING_UP })] },
  });

  const { code, stdout } = await cli(['--api', address, 'volume', 'list']);

  t.is(code, 0);
  t.is(seen.length, 2);
  t.is(
    stdout,
    [
      '+----+-------+------------------+------+-------------+',
      '| ID | Name  | Status           | Size | Attached to |',
      '+----+-------+------------------+------+-------------+',
      '| b  | first | in-use           | 1    |             |',
      '| a  |       | error_backing-up | 1    |             |',
      '+----+-------+------------------+------+-------------+',
      '',
    ].join('\n'),
  );
});

test('list --long names the types', async (t) => {
  const { address } = await fakeApiFor(t, {
    listVolumes: () => ({
      volumes: [volume({ metadata: new Map([['env', 'test']]) }), volume({ volumeTypeId: 'gone' })],
    }),
    listVolumeTypes: () => ({ volumeTypes: [volumeType({ name: 'fast' })] }),
  });

  const { stdout } = await cli(['--api', address, 'volume', 'list', '--long', '-f', 'json']);

  const rows = JSON.parse(stdout) as Record<string, unknown>[];
  t.deepEqual(Object.keys(rows[0] ?? {}), [
    ...['ID', 'Name', 'Status', 'Size', 'Type', 'Bootable', 'Attached to', 'Properties'],
  ]);
  t.like(rows[0], { Type: 'fast', Properties: { env: 'test' } });
  t.like(rows[1], { Type: 'gone' });
});

test('list stops at its limit and asks for no more than that', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: ({ pageSize, pageToken }) => ({
      volumes: Array.from({ length: pageSize }, () => volume()),
      nextPageToken: `${pageToken}+`,
    }),
  });

  const { stdout } = await cli(['--api', address, 'volume', 'list', '--limit', '1001', '-f', 'value', '-c', 'ID']);

  t.is(stdout.split('\n').length - 1, 1_001);
  t.deepEqual(
    seen.map(({ request }) => (request as ListVolumesRequest).pageSize),
    [1_000, 1],
  );
});

test('a server that gives the same page token for ever does not keep list for ever', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: () => ({ volumes: [volume()], nextPageToken: 'same' }),
  });

  const { code } = await cli(['--api', address, 'volume', 'list']);

  t.is(code, 0);
  t.is(seen.length, 2);
});

test('every filter and the order reach the API', async (t) => {
  const { address, seen } = await fakeApiFor(t, { listVolumes: () => ({}) });

  const { code, stderr } = await cli([
    ...['--api', address, 'volume', 'list', '--all-projects', '--name', 'n', '--name-contains', 'part'],
    ...['--status', 'in-use', '--status', 'Error', '--type', 'fast', '--availability-zone', 'az1', '--non-bootable'],
    ...['--property', 'env=test', '--source', ID.toUpperCase(), '--snapshot', 's1', '--created-since', '2026-01-31'],
    ...['--created-before', '2026-02-01T12:00', '--updated-since', '2026-01-01T00:00:00+02:00', '--host', 'node1@file'],
    ...['--of-project', 'p2', '--of-user', 'bob', '--sort', 'name:asc'],
  ]);

  t.is(code, 0, stderr);
  const { filter, sort } = seen[0]?.request as ListVolumesRequest;
  t.is(sort, 'name:asc');
  t.like(filter, {
    name: 'n',
    nameContains: 'part',
    statuses: [VolumeStatus.ERROR, VolumeStatus.IN_USE],
    volumeType: 'fast',
    availabilityZone: 'az1',
    bootable: false,
    sourceVolumeId: ID,
    snapshotId: 's1',
    createdAt: { gte: new Date('2026-01-31T00:00:00Z'), lt: new Date('2026-02-01T12:00:00Z') },
    updatedAt: { gte: new Date('2025-12-31T22:00:00Z') },
    host: 'node1@file',
    projectId: 'p2',
    userId: 'bob',
    allProjects: true,
  });
  t.deepEqual([...(filter?.metadata ?? [])], [['env', 'test']]);
});

test('a plain list asks for nothing in particular', async (t) => {
  const { address, seen } = await fakeApiFor(t, { listVolumes: () => ({}) });

  await cli(['--api', address, 'volume', 'list']);

  t.like(seen[0]?.request, { sort: '', filter: { statuses: [], allProjects: false, createdAt: undefined } });
  t.is((seen[0]?.request as ListVolumesRequest).filter?.bootable, undefined);
});

test('show finds a volume by its name', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: () => ({ volumes: [volume()] }),
    getVolume: () => ({ volume: volume({ host: 'node1@file#pool' }) }),
    getVolumeType: () => ({ volumeType: volumeType() }),
  });

  const { code, stdout } = await cli(['--api', address, 'volume', 'show', 'first', '-f', 'json']);

  t.is(code, 0);
  t.like(seen[0]?.request, { filter: { name: 'first' } });
  t.like(seen[1]?.request, { volumeId: ID });
  const shown = JSON.parse(stdout) as Record<string, unknown>;
  t.like(shown, {
    id: ID,
    host: 'node1@file#pool',
    type: 'plain',
    status: 'available',
    created_at: '2026-01-02T03:04:05.000Z',
  });
  t.deepEqual(Object.keys(shown), Object.keys(shown).toSorted());
  t.false('migration_status' in shown, 'what only administrators see is not there for others');
  t.false('volume_type_id' in shown);
});

test('show takes an id for what it is and asks no second question', async (t) => {
  const { address, seen } = await fakeApiFor(t, { getVolume: () => ({ volume: volume() }) });

  await cli(['--api', address, 'volume', 'show', ID]);

  t.is(seen[0]?.method, 'GetVolume');
});

test('a name that several volumes have is refused with their ids', async (t) => {
  const { address } = await fakeApiFor(t, {
    listVolumes: () => ({ volumes: [volume({ id: 'one' }), volume({ id: 'two' })] }),
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'show', 'twin\u0007']);

  t.is(code, 1);
  t.is(stderr, "There is more than one volume named 'twin\\u0007'; give the id: one, two\n");
});

test('a name that no volume has is refused', async (t) => {
  const { address } = await fakeApiFor(t, { listVolumes: () => ({}) });

  const { code, stderr } = await cli(['--api', address, 'volume', 'show', 'nobody']);

  t.is(code, 1);
  t.is(stderr, "There is no volume with the name or id 'nobody'.\n");
});

test('summary counts, adds up and shows the properties in use', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    summarizeVolumes: () => ({
      totalCount: 2,
      totalSize: 30,
      metadata: new Map([['env', { values: ['prod', 'test'] }]]),
    }),
  });

  const { stdout } = await cli(['--api', address, 'volume', 'summary', '--all-projects', '-f', 'json']);

  t.like(seen[0]?.request, { allProjects: true });
  t.deepEqual(JSON.parse(stdout), { 'Total Count': 2, 'Total Size': 30, Metadata: { env: ['prod', 'test'] } });
});

test("every status of the API has Cinder's word", (t) => {
  const words = Object.values(VolumeStatus)
    .filter((status) => status !== VolumeStatus.UNSPECIFIED)
    .map(statusWord);
  t.true(words.includes('in-use') && words.includes('error_backing-up'));
  t.deepEqual(
    words.filter((word) => word.startsWith('VOLUME_STATUS')),
    [],
  );
});
