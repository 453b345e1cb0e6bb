import { EventEmitter } from 'node:events';

import test from 'ava';

import { Fault } from '#src/errors/fault.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { cli, fakeApiFor, volume } from '../support/cli.js';

const ID = volume().id;
const [ONE, TWO, THREE] = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`) as [string, string, string];

test('set changes what was said and nothing else, and prints nothing', async (t) => {
  const { address, seen } = await fakeApiFor(t, { updateVolume: () => ({ volume: volume() }) });

  const { code, stdout } = await cli(['--api', address, 'volume', 'set', '--name', 'b', '--non-bootable', ID]);

  t.is(code, 0);
  t.is(stdout, '');
  t.is(seen.length, 1);
  t.like(seen[0]?.request, {
    volumeId: ID,
    name: 'b',
    bootable: false,
    description: undefined,
    updateMask: ['name', 'bootable'],
  });
});

test('set --property adds to the properties', async (t) => {
  const { address, seen } = await fakeApiFor(t, { setVolumeMetadata: () => ({ volume: volume() }) });

  const { code } = await cli(['--api', address, 'volume', 'set', '--property', 'a=1', '--property', 'b=2', ID]);

  t.is(code, 0);
  t.deepEqual(
    [...(seen[0]?.request as { metadata: Map<string, string> }).metadata],
    [
      ['a', '1'],
      ['b', '2'],
    ],
  );
});

test('set --no-property replaces all properties in one request', async (t) => {
  const { address, seen } = await fakeApiFor(t, { updateVolume: () => ({ volume: volume() }) });

  await cli(['--api', address, 'volume', 'set', '--no-property', '--property', 'a=1', ID]);
  await cli(['--api', address, 'volume', 'set', '--no-property', ID]);

  const sent = seen.map(({ request }) => request as { metadata: Map<string, string>; updateMask: string[] });
  t.deepEqual(
    sent.map(({ metadata, updateMask }) => [[...metadata], updateMask]),
    [
      [[['a', '1']], ['metadata']],
      [[], ['metadata']],
    ],
  );
});

test('set says what was done when the properties are refused after the rest', async (t) => {
  const { address } = await fakeApiFor(t, {
    updateVolume: () => ({ volume: volume() }),
    setVolumeMetadata: () => {
      throw new Fault('InvalidInput', {
        violations: [{ field: 'metadata["a"]', description: 'is too long' }],
        omitted: 0,
      });
    },
  });

  const { code, stderr } = await cli([
    ...['--api', address, 'volume', 'set', '--name', 'b', '--description', 'c', '--property', 'a=1', ID],
  ]);

  t.is(code, 1);
  t.regex(
    stderr,
    /^The properties were not set; name and description were\.\nInvalid input\.\n {2}--property a: is too long\n/,
  );
});

test('unset takes properties out', async (t) => {
  const { address, seen } = await fakeApiFor(t, { deleteVolumeMetadata: () => ({ volume: volume() }) });

  const { code } = await cli(['--api', address, 'volume', 'unset', '--property', 'a', '--property', 'b', ID]);

  t.is(code, 0);
  t.like(seen[0]?.request, { volumeId: ID, keys: ['a', 'b'] });
});

test('delete tries all, tells each failure with what the user called it, and fails', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: () => ({}),
    deleteVolume: ({ volumeId }) => {
      if (volumeId === ONE) throw new Fault('VolumeNotFound', { volumeId });
      return {};
    },
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'delete', '--purge', ONE, 'nobody', TWO]);

  t.is(code, 1);
  t.is(stdout, '');
  t.deepEqual(
    seen
      .filter(({ method }) => method === 'DeleteVolume')
      .map(({ request }) => (request as { volumeId: string }).volumeId),
    [ONE, TWO],
  );
  t.like(seen[0]?.request, { cascade: true, force: false });
  t.regex(stderr, new RegExp(`^${ONE}: .*${ONE}.*\n\\(VOLUME_NOT_FOUND, request req-`));
  t.regex(
    stderr,
    /\nnobody: There is no volume with the name or id 'nobody'\.\n2 of 3 volumes could not be deleted\.\n$/,
  );
});

test('delete of one volume fails with the plain reason', async (t) => {
  const { address } = await fakeApiFor(t, {
    deleteVolume: ({ volumeId }) => {
      throw new Fault('VolumeNotFound', { volumeId });
    },
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'delete', ONE]);

  t.is(code, 1);
  t.notRegex(stderr, /1 of 1/);
  t.regex(stderr, /VOLUME_NOT_FOUND/);
});

test('delete --wait is done when the volumes are gone', async (t) => {
  const { address } = await fakeApiFor(t, {
    deleteVolume: () => ({}),
    getVolume: ({ volumeId }) => {
      if (volumeId === ONE) throw new Fault('VolumeNotFound', { volumeId });
      return { volume: volume({ id: volumeId, status: VolumeStatus.DELETING }) };
    },
    watchVolumes(call) {
      if (call.request.volumeIds[0] !== TWO) return;
      call.write({ volume: volume({ id: TWO, status: VolumeStatus.DELETED }), resumeToken: '1' });
    },
  });

  const { code, stdout } = await cli(['--api', address, 'volume', 'delete', '--wait', ONE, TWO]);

  t.is(code, 0);
  t.is(stdout, '');
});

test('delete --wait goes on to the others when one cannot be deleted', async (t) => {
  const { address } = await fakeApiFor(t, {
    deleteVolume: () => ({}),
    getVolume: ({ volumeId }) => {
      if (volumeId !== ONE) throw new Fault('VolumeNotFound', { volumeId });
      return { volume: volume({ id: ONE, status: VolumeStatus.ERROR_DELETING, statusReason: 'The disk is gone.' }) };
    },
    watchVolumes: () => undefined,
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'delete', '--wait', ONE, TWO, THREE]);

  t.is(code, 1);
  t.is(
    stderr,
    [
      ...[ONE, TWO, THREE].map((id) => `${id}: deleting`),
      `${ONE}: Volume ${ONE} is in status error_deleting: The disk is gone.`,
      '1 of 3 volumes could not be deleted.',
      '',
    ].join('\n'),
  );
});

test('Ctrl-C while it waits for a deletion says that the deletion goes on', async (t) => {
  const signals = new EventEmitter();
  const { address } = await fakeApiFor(t, {
    deleteVolume: () => ({}),
    getVolume: () => ({ volume: volume({ id: ONE, status: VolumeStatus.DELETING }) }),
    watchVolumes: () => void setImmediate(() => signals.emit('SIGINT')),
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'delete', '--wait', ONE, TWO], { signals });

  t.is(code, 130);
  t.regex(stderr, new RegExp(`Interrupted\\. Volume ${ONE} goes on being deleted`));
});

test('reset-state corrects what was said, and wants to know why', async (t) => {
  const { address, seen } = await fakeApiFor(t, { resetVolumeStatus: () => ({ volume: volume() }) });
  const reset = (...words: string[]) => cli(['--api', address, 'volume', 'reset-state', ...words, ID]);

  const { code, stdout } = await reset('--state', 'error', '--migration-status', 'none', '--reason', 'it burned');

  t.is(code, 0);
  t.is(stdout, '');
  t.like(seen[0]?.request, {
    ...{ volumeId: ID, status: VolumeStatus.ERROR, migrationStatus: 'none', reason: 'it burned' },
    attachStatus: undefined,
  });
  t.is((await reset('--state', 'error')).code, 2);
  t.is((await reset('--state', 'creating', '--reason', 'why not')).code, 2);
  t.is(seen.length, 1);
});
