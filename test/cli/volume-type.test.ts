import test from 'ava';

import { Fault } from '#src/errors/fault.js';
import { cli, fakeApiFor, volumeType } from '../support/cli.js';

const FAST = volumeType({ name: 'fast', extraSpecs: new Map([['volume_backend_name', 'ssd']]) });
const SECRET = volumeType({ id: 'secret-id', name: 'secret', isPublic: false });

test('type list has the columns of OpenStack, and more with --long', async (t) => {
  const { address, seen } = await fakeApiFor(t, { listVolumeTypes: () => ({ volumeTypes: [FAST] }) });

  const { stdout } = await cli(['--api', address, 'volume', 'type', 'list', '--public']);
  const long = await cli(['--api', address, 'volume', 'type', 'list', '--long', '-f', 'json']);

  t.regex(stdout, /\n\| ID +\| Name \| Is Public \|\n[^]*\| fast \| true +\|\n/);
  t.like(seen[0]?.request, { isPublic: true });
  t.like(seen[1]?.request, { isPublic: undefined });
  t.deepEqual(JSON.parse(long.stdout), [
    {
      ID: FAST.id,
      Name: 'fast',
      'Is Public': true,
      Description: null,
      Properties: { volume_backend_name: 'ssd' },
    },
  ]);
});

test('type list --default shows the type of volumes that name none', async (t) => {
  const { address } = await fakeApiFor(t, { getDefaultVolumeType: () => ({ volumeType: FAST }) });

  t.is(
    (await cli(['--api', address, 'volume', 'type', 'list', '--default', '-f', 'value', '-c', 'Name'])).stdout,
    'fast\n',
  );
});

test('type show lists the projects of a private type, on all pages', async (t) => {
  const { address } = await fakeApiFor(t, {
    getVolumeType: () => ({ volumeType: SECRET }),
    listVolumeTypeAccess: ({ pageToken }) =>
      pageToken === '' ? { projectIds: ['p1'], nextPageToken: '2' } : { projectIds: ['p2'] },
  });

  const { stdout } = await cli(['--api', address, 'volume', 'type', 'show', 'secret', '-f', 'json']);

  t.like(JSON.parse(stdout), { name: 'secret', is_public: false, access_project_ids: ['p1', 'p2'] });
});

test('type show works for those who may not see the projects', async (t) => {
  const { address } = await fakeApiFor(t, { getVolumeType: () => ({ volumeType: SECRET }) });

  const { code, stdout } = await cli(['--api', address, 'volume', 'type', 'show', 'secret', '-f', 'json']);

  t.is(code, 0);
  t.like(JSON.parse(stdout), { name: 'secret', access_project_ids: null });
});

test('type create makes the type and lets the projects in; the caller stands before the command', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    createVolumeType: () => ({ volumeType: SECRET }),
    addVolumeTypeAccess: () => ({}),
  });

  const { code, stdout, stderr } = await cli([
    ...['--api', address, '--project', 'admin', '--roles', 'admin,member', 'volume', 'type', 'create', '--private'],
    ...[
      '--property',
      'volume_backend_name=ssd',
      '--description',
      'hush',
      '--project',
      'p1',
      '--project',
      'p2',
      'secret',
    ],
    ...['-f', 'value', '-c', 'access_project_ids'],
  ]);

  t.is(code, 0, stderr);
  t.is(stdout, 'p1, p2\n');
  t.like(seen[0], {
    request: { name: 'secret', description: 'hush', isPublic: false },
    metadata: { 'x-project-id': 'admin', 'x-roles': 'admin,member' },
  });
  t.deepEqual(
    [...(seen[0]?.request as { extraSpecs: Map<string, string> }).extraSpecs],
    [['volume_backend_name', 'ssd']],
  );
  t.like(seen[1]?.request, { volumeType: 'secret-id', projectId: 'p1' });
  t.like(seen[2]?.request, { volumeType: 'secret-id', projectId: 'p2' });
});

test('type create says that the type was made when a project cannot be let in', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolumeType: () => ({ volumeType: SECRET }),
    addVolumeTypeAccess: () => {
      throw new Fault('InvalidInput', { violations: [{ field: 'project_id', description: 'is bad' }], omitted: 0 });
    },
  });

  const { code, stderr } = await cli([
    ...['--api', address, 'volume', 'type', 'create', '--private', '--project', 'p 1', 'secret'],
  ]);

  t.is(code, 1);
  t.regex(stderr, /^Type secret-id was made\.\nInvalid input\.\n {2}--project: is bad\n/);
});

test('type set changes the type by its id, so that a new name does not lose it', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    getVolumeType: () => ({ volumeType: FAST }),
    updateVolumeType: () => ({ volumeType: FAST }),
    setVolumeTypeExtraSpecs: () => ({ volumeType: FAST }),
    addVolumeTypeAccess: () => ({}),
  });

  const { code } = await cli([
    ...['--api', address, 'volume', 'type', 'set', '--name', 'faster', '--private', '--property', 'a=1'],
    ...['--project', 'p1', 'fast'],
  ]);

  t.is(code, 0);
  t.like(seen[0]?.request, { volumeType: 'fast' });
  t.like(seen[1]?.request, { volumeType: FAST.id, name: 'faster', isPublic: false, description: undefined });
  t.like(seen[2]?.request, { volumeType: FAST.id });
  t.like(seen[3]?.request, { volumeType: FAST.id, projectId: 'p1' });
});

test('type unset takes out properties and projects', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    deleteVolumeTypeExtraSpecs: () => ({}),
    removeVolumeTypeAccess: () => ({}),
  });

  const { code } = await cli([
    ...['--api', address, 'volume', 'type', 'unset', '--property', 'a', '--property', 'b', '--project', 'p1', 'fast'],
  ]);

  t.is(code, 0);
  t.like(seen[0]?.request, { volumeType: 'fast', keys: ['a', 'b'] });
  t.like(seen[1]?.request, { volumeType: 'fast', projectId: 'p1' });
});

test('type delete tries all', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    deleteVolumeType: ({ volumeType: name }) => {
      if (name === 'used') throw new Fault('VolumeTypeInUse', { volumeType: name });
      return {};
    },
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'type', 'delete', 'used', 'unused']);

  t.is(code, 1);
  t.is(seen.length, 2);
  t.regex(stderr, /^used: .*\n\(VOLUME_TYPE_IN_USE, .*\)\n1 of 2 types could not be deleted\.\n$/);
});

test('the default type of a project is shown, set and removed', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    getDefaultVolumeType: () => ({ volumeType: FAST }),
    setDefaultVolumeType: () => ({ volumeType: FAST }),
    unsetDefaultVolumeType: () => ({}),
  });
  const command = ['--api', address, 'volume', 'type', 'default'];

  const shown = await cli([...command, 'show', 'demo', '-f', 'value', '-c', 'name']);
  await cli([...command, 'set', 'fast', 'demo']);
  await cli([...command, 'unset', 'demo']);

  t.is(shown.stdout, 'fast\n');
  t.deepEqual(
    seen.map(({ method }) => method),
    ['GetDefaultVolumeType', 'SetDefaultVolumeType', 'UnsetDefaultVolumeType'],
  );
  const [get, set, unset] = seen.map(({ request }) => request as { readonly idempotencyKey?: string });
  t.deepEqual(get, { projectId: 'demo' });
  t.like(set, { projectId: 'demo', volumeType: 'fast' });
  t.like(unset, { projectId: 'demo' });
  t.not(set?.idempotencyKey, unset?.idempotencyKey, 'each change has a key of its own');
});
