import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';

import { status } from '@grpc/grpc-js';
import test from 'ava';

import { Fault } from '#src/errors/fault.js';
import { PlacementOutcome } from '#src/gen/cinder/api/v3/pools.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { cli, fakeApiFor, volume, volumeType } from '../support/cli.js';

const ID = volume().id;
const CREATING = { volume: volume({ status: VolumeStatus.CREATING }) };
const AVAILABLE = { volume: volume() };

test('create sends what was said and shows the volume as OpenStack does', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => ({ volume: volume({ status: VolumeStatus.CREATING, metadata: new Map([['a', 'b=c']]) }) }),
    getVolumeType: () => ({ volumeType: volumeType({ name: 'fast' }) }),
  });

  const { code, stdout, stderr } = await cli([
    ...['--api', address, '--project', 'demo', '--user', 'ann', 'volume', 'create', 'first', '--size', '3'],
    ...['--description', 'words', '--type', 'fast', '--availability-zone', 'nova', '--property', 'a=b=c'],
    ...['--property', '__proto__=x', '--hint', 'same_host=v1', '--hint', 'same_host=v2'],
    ...['--hint', 'query=["=","$x","1"]', '--idempotency-key', 'k1'],
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
    Object.fromEntries(metadata),
    Object.fromEntries([
      ['a', 'b=c'],
      ['__proto__', 'x'],
    ]),
  );
  t.regex(String(seen[0]?.metadata['x-openstack-request-id']), /^req-[0-9a-f-]{36}$/);
  t.regex(stdout, /^\+-+\+-+\+\n\| Field +\| Value +\|\n\+-+\+-+\+\n/);
  t.regex(stdout, /\n\| properties +\| a='b=c' +\|\n/);
  t.regex(stdout, /\n\| status +\| creating +\|\n/);
  t.regex(stdout, /\n\| type +\| fast +\|\n/);
  t.regex(stdout, /\n\| created_at +\| 2026-01-02T03:04:05\.000Z +\|\n/);
});

test('create --source takes the name of a volume', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listVolumes: () => ({ volumes: [volume()] }),
    createVolume: () => CREATING,
  });

  const { code } = await cli(['--api', address, 'volume', 'create', '--source', 'first', 'copy']);

  t.is(code, 0);
  t.like(seen[0]?.request, { filter: { name: 'first' } });
  t.like(seen[1]?.request, { sourceVolumeId: ID, name: 'copy', size: undefined });
});

test('a column that does not exist does not hide that a volume was made', async (t) => {
  const { address } = await fakeApiFor(t, { createVolume: () => CREATING });

  const { code, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '1', '-c', 'nmae']);

  t.is(code, 2);
  t.regex(stderr, new RegExp(`^Volume ${ID} was made\\. There is no column 'nmae'; there are attachments, `));
});

test('a type that the caller may not see is shown by its id', async (t) => {
  const { address } = await fakeApiFor(t, { createVolume: () => CREATING });

  const { stdout } = await cli(['--api', address, 'volume', 'create', '--size', '1', '-f', 'value', '-c', 'type']);

  t.is(stdout, `${volume().volumeTypeId}\n`);
});

test('create --wait follows the watch, tells each news once, and shows the volume as it is in the end', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => CREATING,
    getVolume: () => CREATING,
    watchVolumes(call) {
      call.write({ ...CREATING, resumeToken: '1', progressPercent: 50 });
      call.write({ ...CREATING, resumeToken: '2', progressPercent: 50 });
      call.write({ ...AVAILABLE, resumeToken: '3' });
    },
  });

  const { code, stdout, stderr } = await cli([
    ...['--api', address, 'volume', 'create', '--size', '1', '--wait', '-f', 'value', '-c', 'status'],
  ]);

  t.is(code, 0);
  t.is(stdout, 'available\n');
  t.is(stderr, `${ID}: creating\n${ID}: creating, 50 %\n`);
  t.deepEqual(seen.map(({ method }) => method).slice(0, 3), ['CreateVolume', 'WatchVolumes', 'GetVolume']);
  t.like(seen[1]?.request, { volumeIds: [ID], resumeToken: '' });
});

test('on a terminal the progress is one line that is drawn anew and taken away in the end', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => CREATING,
    getVolume: () => CREATING,
    watchVolumes(call) {
      call.write({ ...CREATING, resumeToken: '1', progressPercent: 50 });
      call.write({ ...AVAILABLE, resumeToken: '2' });
    },
  });
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 30 });

  await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait'], { stderr });

  const lines = (stderr.read() as Buffer).toString().split('\r\u001b[2K');
  t.is(lines[0], '');
  t.true(lines.length >= 4);
  t.true(lines.every((line) => line.length < 30 && !line.includes('\n')));
  t.is(lines.at(-1), '', 'nothing is left');
});

test('create --wait sees a volume that was ready before the watch began', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => CREATING,
    getVolume: () => AVAILABLE,
    watchVolumes: () => undefined,
  });

  const { code, stdout } = await cli([
    ...['--api', address, 'volume', 'create', '--size', '1', '--wait', '-f', 'json', '-c', 'status'],
  ]);

  t.is(code, 0);
  t.deepEqual(JSON.parse(stdout), { status: 'available' });
});

test('create --wait outlives a server that restarts', async (t) => {
  let watches = 0;
  const { address } = await fakeApiFor(t, {
    createVolume: () => CREATING,
    getVolume: () => (watches > 1 ? AVAILABLE : CREATING),
    watchVolumes(call) {
      if (++watches === 1) call.emit('error', { code: status.UNAVAILABLE, details: 'restarting' });
      else call.write({ ...AVAILABLE, resumeToken: '1' });
    },
  });

  const { code } = await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait']);

  t.is(code, 0);
  t.is(watches, 2);
});

test('create --wait fails when the volume does, shows it all the same, and says why', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => CREATING,
    getVolume: () => ({
      volume: volume({ status: VolumeStatus.ERROR, statusReason: 'No backend\u001b[2J has room for it.' }),
    }),
    watchVolumes: () => undefined,
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait']);

  t.is(code, 1);
  t.regex(stdout, /\| status +\| error +\|/);
  t.is(
    stderr,
    [
      `${ID}: creating`,
      `Volume ${ID} is in status error: No backend\\u001b[2J has room for it.`,
      `\`cinder-grpc message list --resource ${ID}\` may tell more.`,
      '',
    ].join('\n'),
  );
});

test('create --wait ends at its timeout and says that the volume goes on', async (t) => {
  const { address } = await fakeApiFor(t, {
    createVolume: () => CREATING,
    getVolume: () => CREATING,
    watchVolumes: () => undefined,
  });

  const { code, stdout, stderr } = await cli([
    ...['--api', address, 'volume', 'create', '--size', '1', '--wait', '--timeout', '1'],
  ]);

  t.is(code, 1);
  t.is(stdout, '');
  t.regex(stderr, new RegExp(`Still creating after 1 s\\. Volume ${ID} goes on being created; .*volume show ${ID}`));
});

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} while it waits ends the command with ${expected}, and says that the volume goes on`, async (t) => {
    const signals = new EventEmitter();
    const { address } = await fakeApiFor(t, {
      createVolume: () => CREATING,
      getVolume: () => CREATING,
      watchVolumes: () => void setImmediate(() => signals.emit(signal)),
    });

    const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '1', '--wait'], {
      signals,
    });

    t.is(code, expected);
    t.is(stdout, '');
    t.regex(stderr, new RegExp(`Interrupted\\. Volume ${ID} goes on being created`));
    t.is(signals.listenerCount(signal), 0);
  });
}

test('Ctrl-C before the API has answered leaves open whether there is a volume; the second ends the process', async (t) => {
  const signals = new EventEmitter();
  const codes: number[] = [];
  const { address } = await fakeApiFor(t, {
    createVolume: () => {
      signals.emit('SIGINT');
      signals.emit('SIGINT');
      return CREATING;
    },
  });

  const { code, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '1'], {
    signals,
    exit: (each) => codes.push(each),
  });

  t.is(code, 130);
  t.is(stderr, 'Interrupted. Whether the request was carried out is not known.\n');
  t.deepEqual(codes, [130]);
});

test('bad fields are told one by one as they were typed, with the reason and the request id', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    createVolume: () => {
      throw new Fault('InvalidInput', {
        violations: [
          { field: 'size', description: 'must be 1 or more' },
          { field: 'metadata["x y"]', description: 'is too long' },
          { field: 'scheduler_hints.same_host[0]', description: 'must be a UUID' },
          { field: 'volume_type', description: 'does not exist' },
          { field: 'multiattach', description: 'is set by the type' },
        ],
        omitted: 2,
      });
    },
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '-1']);

  t.is(code, 1);
  t.is(stdout, '');
  t.is(
    stderr,
    [
      'Invalid input.',
      '  --size: must be 1 or more',
      '  --property x y: is too long',
      '  --hint same_host[0]: must be a UUID',
      '  --type: does not exist',
      '  multiattach: is set by the type',
      '  and 2 more',
      `(INVALID_INPUT, request ${String(seen[0]?.metadata['x-openstack-request-id'])})`,
      '',
    ].join('\n'),
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

test('create --dry-run makes nothing and shows which pools would do, and why the others would not', async (t) => {
  const reason = 'has room for 1 GiB, 5 GiB are asked for';
  const { address, seen } = await fakeApiFor(t, {
    explainPlacement: () => ({
      outcome: PlacementOutcome.PLACEABLE,
      pools: [
        { name: 'h1@b#p', rank: 1, weight: 0.5, weights: [] },
        { name: 'h2@b#p', rejectedBy: 'CapacityFilter', reason, weights: [] },
      ],
    }),
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '5', '--dry-run']);

  t.is(code, 0, stderr);
  t.deepEqual(
    seen.map(({ method }) => method),
    ['ExplainPlacement'],
  );
  t.like(seen[0]?.request, { volume: { size: 5 } });
  t.regex(stdout, /\n\| Rank +\| Pool +\| Weight +\| Rejected By +\| Reason +\|\n/);
  t.regex(stdout, /\n\| +1 +\| h1@b#p +\| +0\.5 +\|/);
  t.regex(stdout, new RegExp(`\\| h2@b#p +\\|.*\\| CapacityFilter +\\| ${reason} +\\|`));
});

test('create --dry-run fails, with the whole account, when no pool would do', async (t) => {
  const summary = 'No storage pool has reported yet. 1 backend is up without a report: h1@b.';
  const { address } = await fakeApiFor(t, {
    explainPlacement: () => ({ outcome: PlacementOutcome.NO_REPORTS, summary, pools: [] }),
  });

  const { code, stdout, stderr } = await cli(['--api', address, 'volume', 'create', '--size', '5', '--dry-run']);

  t.is(code, 1);
  t.is(stdout, '');
  t.true(stderr.includes(summary), stderr);
});
