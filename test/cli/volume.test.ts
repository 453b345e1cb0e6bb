import { status } from '@grpc/grpc-js';
import test from 'ava';

import { Fault } from '#src/errors/fault.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { cli, fakeApiFor, volume } from '../support/cli.js';

const ID = volume().id;

test('create sends what was said and shows the volume as OpenStack does', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => volume({ status: VolumeStatus.CREATING, metadata: new Map([['a', 'b=c']]) }),
  });

  const { code, stdout, stderr } = await cli([
    ...['--api', address, '--project', 'demo', '--user', 'ann', 'volume', 'create', 'first', '--size', '3'],
    ...['--description', 'words', '--type', 'fast', '--availability-zone', 'nova', '--property', 'a=b=c'],
    ...[
      '--property',
      '__proto__=x',
      '--hint',
      'same_host=v1',
      '--hint',
      'same_host=v2',
      '--hint',
      'query=["=","$x","1"]',
    ],
    ...['--idempotency-key', 'k1'],
  ]);

  t.is(code, 0, stderr);
  t.like(seen[0], {
    method: 'CreateVolume',
    request: {
      size: 3,
      name: 'first',
      description: 'words',
      volumeType: 'fast',
      availabilityZone: 'nova',
      schedulerHints: { sameHost: ['v1', 'v2'], differentHost: [], query: '["=","$x","1"]' },
      idempotencyKey: 'k1',
      multiattach: undefined,
    },
    metadata: { 'x-project-id': 'demo', 'x-user-id': 'ann' },
  });
  const { metadata } = seen[0]?.request as { metadata: Map<string, string> };
  t.deepEqual(
    [...metadata],
    [
      ['a', 'b=c'],
      ['__proto__', 'x'],
    ],
  );
  t.regex(String(seen[0]?.metadata['x-openstack-request-id']), /^req-[0-9a-f-]{36}$/);
  t.regex(stdout, /^\+-+\+-+\+\n\| Field +\| Value +\|\n\+-+\+-+\+\n/);
  t.regex(stdout, /\n\| properties +\| a='b=c' +\|\n/);
  t.regex(stdout, /\n\| status +\| creating +\|\n/);
  t.regex(stdout, /\n\| created_at +\| 2026-01-02T03:04:05\.000Z +\|\n/);
});

test('project, user and token come from the environment where they are not given', async (t) => {
  const { address, seen } = await fakeApiFor(t, { getVolume: () => volume() });
  const environment = { CINDER_API: address, CINDER_PROJECT_ID: 'p', CINDER_USER_ID: 'u', CINDER_TOKEN: 'secret' };

  await cli(['volume', 'show', ID], { environment });
  await cli(['volume', 'show', ID, '--project', 'other'], { environment: { ...environment, CINDER_USER_ID: '' } });

  t.like(seen[0]?.metadata, { 'x-project-id': 'p', 'x-user-id': 'u', 'x-auth-token': 'secret' });
  t.is(seen[1]?.metadata['x-project-id'], 'other');
  t.false('x-user-id' in (seen[1]?.metadata ?? {}));
});

test('list follows the pages to the end, with the columns of OpenStack', async (t) => {
  const pages: Record<string, { volumes: ReturnType<typeof volume>[]; nextPageToken: string }> = {
    '': { volumes: [volume({ id: 'b', status: VolumeStatus.IN_USE })], nextPageToken: 'two' },
    two: { volumes: [volume({ id: 'a', name: undefined, status: VolumeStatus.ERROR_BACKING_UP })], nextPageToken: '' },
  };
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: (_, token) => pages[token] ?? { volumes: [], nextPageToken: '' },
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

test('list stops at its limit and asks for no more than that', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: (size) => ({ volumes: Array.from({ length: size }, () => volume()), nextPageToken: 'more' }),
  });

  const { stdout } = await cli(['--api', address, 'volume', 'list', '--limit', '501', '-f', 'value', '-c', 'ID']);

  t.is(stdout.split('\n').length - 1, 501);
  t.deepEqual(
    seen.map(({ request }) => (request as { pageSize: number }).pageSize),
    [500, 1],
  );
});

test('json and value print the chosen columns in the given order, numbers as numbers', async (t) => {
  const { address } = await fakeApiFor(t, { listVolumes: () => ({ volumes: [volume()], nextPageToken: '' }) });

  const asJson = await cli(['--api', address, 'volume', 'list', '-f', 'json', '-c', 'size', '-c', 'ID']);
  const asValue = await cli(['--api', address, '-f', 'value', 'volume', 'list', '-c', 'Name', '-c', 'Status']);
  const nothing = await cli(['--api', address, 'volume', 'list', '-c', 'Nmae']);

  t.deepEqual(JSON.parse(asJson.stdout), [{ Size: 1, ID }]);
  t.is(asJson.stdout.indexOf('Size') < asJson.stdout.indexOf('ID'), true);
  t.is(asValue.stdout, 'first available\n');
  t.is(nothing.code, 2);
  t.regex(nothing.stderr, /There is no column 'Nmae'; there are ID, Name, Status, Size, Attached to\./);
});

test('an empty list is an empty table, an empty JSON list, or nothing', async (t) => {
  const { address } = await fakeApiFor(t, { listVolumes: () => ({ volumes: [], nextPageToken: '' }) });

  t.regex((await cli(['--api', address, 'volume', 'list'])).stdout, /\| ID \| Name \|/);
  t.is((await cli(['--api', address, 'volume', 'list', '-f', 'json'])).stdout, '[]\n');
  t.is((await cli(['--api', address, 'volume', 'list', '-f', 'value'])).stdout, '');
});

test("a volume's name cannot steer the terminal", async (t) => {
  const { address } = await fakeApiFor(t, {
    listVolumes: () => ({ volumes: [volume({ name: 'a\u001b[2Jb\nc' })], nextPageToken: '' }),
  });

  const { stdout } = await cli(['--api', address, 'volume', 'list', '-c', 'Name', '-f', 'value']);

  t.is(stdout, 'a\\u001b[2Jb\\nc\n');
});

test('create --wait follows the watch and shows the volume as it is in the end', async (t) => {
  const creating = volume({ status: VolumeStatus.CREATING });
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => creating,
    getVolume: () => creating,
    watchVolumes(call) {
      call.write({ volume: creating, resumeToken: '1', progressPercent: 50 });
      call.write({ volume: volume({ status: VolumeStatus.AVAILABLE }), resumeToken: '2' });
    },
  });

  const { code, stdout } = await cli([
    '--api',
    address,
    'volume',
    'create',
    '--size',
    '1',
    '--wait',
    '-f',
    'value',
    '-c',
    'status',
  ]);

  t.is(code, 0);
  t.is(stdout, 'available\n');
  t.deepEqual(
    seen.map(({ method }) => method),
    ['CreateVolume', 'WatchVolumes', 'GetVolume'],
  );
  t.like(seen[1]?.request, { volumeIds: [ID], resumeToken: '' });
});

test('create --wait sees a volume that was ready before the watch began', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => volume({ status: VolumeStatus.CREATING }),
    getVolume: () => volume(),
    watchVolumes: () => undefined,
  });

  const { code, stdout } = await cli([
    '--api',
    address,
    'volume',
    'create',
    '--size',
    '1',
    '--wait',
    '-f',
    'json',
    '-c',
    'status',
  ]);

  t.is(code, 0);
  t.deepEqual(JSON.parse(stdout), { status: 'available' });
});

test('create --wait goes on from its last token when the stream ends early', async (t) => {
  let watches = 0;
  const creating = volume({ status: VolumeStatus.CREATING });
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => creating,
    getVolume: () => creating,
    watchVolumes(call) {
      const isFirst = ++watches === 1;
      call.write({ volume: isFirst ? creating : volume(), resumeToken: isFirst ? 'a' : 'b' });
      if (isFirst) call.end();
    },
  });

  const { code } = await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait']);

  t.is(code, 0);
  const tokens = seen
    .filter(({ method }) => method === 'WatchVolumes')
    .map(({ request }) => (request as { resumeToken: string }).resumeToken);
  t.deepEqual(tokens, ['', 'a']);
});

test('create --wait outlives a server that restarts', async (t) => {
  let watches = 0;
  const { address } = await fakeApiFor(t, {
    createVolume: () => volume({ status: VolumeStatus.CREATING }),
    getVolume: () => volume({ status: watches > 1 ? VolumeStatus.AVAILABLE : VolumeStatus.CREATING }),
    watchVolumes(call) {
      if (++watches === 1) call.emit('error', { code: status.UNAVAILABLE, details: 'restarting' });
    },
  });

  const { code } = await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait']);

  t.is(code, 0);
  t.is(watches, 2);
});

test('create --wait fails when the volume does, shows it all the same, and says why', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => volume({ status: VolumeStatus.CREATING }),
    getVolume: () => volume({ status: VolumeStatus.ERROR, statusReason: 'No backend has room for it.' }),
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait']);

  t.is(code, 1);
  t.regex(stdout, /\| status +\| error +\|/);
  t.is(stderr, `Volume ${ID} is in status error: No backend has room for it.\n`);
});

test('create --wait ends at its timeout', async (t) => {
  const creating = volume({ status: VolumeStatus.CREATING });
  const { address } = await fakeApiFor(t, { createVolume: () => creating, getVolume: () => creating });

  const { code, stderr } = await cli([
    '--api',
    address,
    'volume',
    'create',
    '--size',
    '1',
    '--wait',
    '--wait-timeout',
    '1',
  ]);

  t.is(code, 1);
  t.regex(stderr, /DEADLINE_EXCEEDED/);
});

test('delete --wait is done when the volume is gone', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    deleteVolume: () => undefined,
    getVolume: (volumeId) => {
      if (volumeId === 'gone') throw new Fault('VolumeNotFound', { volumeId });
      return volume({ id: volumeId, status: VolumeStatus.DELETING });
    },
    watchVolumes(call) {
      if (call.request.volumeIds[0] === 'later') {
        call.write({ volume: volume({ id: 'later', status: VolumeStatus.DELETED }), resumeToken: '1' });
      }
    },
  });

  const { code, stdout } = await cli(['--api', address, 'volume', 'delete', '--wait', '--purge', 'gone', 'later']);

  t.is(code, 0);
  t.is(stdout, '');
  t.like(seen[0]?.request, { volumeId: 'gone', cascade: true, force: false });
});

test('delete --wait fails when the volume cannot be deleted', async (t) => {
  const { address } = await fakeApiFor(t, {
    deleteVolume: () => undefined,
    getVolume: () => volume({ status: VolumeStatus.ERROR_DELETING }),
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'delete', '--wait', ID]);

  t.is(code, 1);
  t.is(stderr, `Volume ${ID} is in status error_deleting.\n`);
});

test('bad fields are told one by one, with the reason and the request id', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => {
      throw new Fault('InvalidInput', {
        violations: [
          { field: 'size', description: 'must be 1 or more' },
          { field: 'metadata["x"]', description: 'is too long' },
        ],
        omitted: 0,
      });
    },
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '-1']);

  t.is(code, 1);
  t.is(stdout, '');
  const requestId = String(seen[0]?.metadata['x-openstack-request-id']);
  t.is(
    stderr,
    `Invalid input.\n  size: must be 1 or more\n  metadata["x"]: is too long\n(INVALID_INPUT, request ${requestId})\n`,
  );
});

test('a refusal is a sentence with its reason', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => {
      throw new Fault('VolumeLimitExceeded', { allowed: 10, name: 'volumes', over: [] });
    },
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '1']);

  t.is(code, 1);
  t.regex(
    stderr,
    /^Maximum number of volumes allowed \(10\) exceeded for quota 'volumes'\.\n\(VOLUME_LIMIT_EXCEEDED, request req-/,
  );
});

test('where no API answers, the command says so and what to do', async (t) => {
  const { code, stderr } = await cli(['--api', '127.0.0.1:1', 'volume', 'list']);

  t.is(code, 1);
  t.regex(stderr, /^No API answers at 127\.0\.0\.1:1\. [^]*Start one with `cinder-grpc serve`/);
});

const isMisunderstood = test.macro<[argv: readonly string[], words: RegExp]>({
  async exec(t, argv, words) {
    const { code, stderr } = await cli(argv);
    t.is(code, 2);
    t.regex(stderr, words);
  },
  title: (_, argv) => `\`${argv.join(' ')}\` is a mistake of usage`,
});
test(isMisunderstood, ['volume', 'creat'], /unknown command 'creat'/);
test(isMisunderstood, ['volume', 'show'], /missing required argument 'volume'/);
test(isMisunderstood, ['volume', 'create', '--size', 'big'], /whole number/);
test(isMisunderstood, ['volume', 'create', '--property', 'x'], /key=value/);
test(
  isMisunderstood,
  ['volume', 'create', '--hint', 'colour=red'],
  /same_host, different_host, local_to_instance, query/,
);
test(isMisunderstood, ['--api', 'x:1', 'volume', 'create', 'one', '--name', 'two'], /Give the name once/);
test(isMisunderstood, ['volume', 'list', '-f', 'yaml'], /Allowed choices are table, json, value/);
test(isMisunderstood, ['serve', 'backup'], /Allowed choices are all, api, scheduler, volume/);
