import test, { type ExecutionContext } from 'ava';

import { Fault } from '#src/errors/fault.js';
import { QuotaFigure, UsageItemKind } from '#src/gen/cinder/api/v3/quotas.js';
import { ServiceState, VersionHolderKind, VersionLossKind } from '#src/gen/cinder/api/v3/services.js';
import { cli, fakeApiFor } from '../support/cli.js';

const AT = new Date('2026-01-02T03:04:05Z');
const SERVICE = {
  binary: 'cinder-volume',
  host: 'node1@file',
  availabilityZone: 'nova',
  state: ServiceState.UP,
  updatedAt: AT,
};
const MESSAGE = {
  id: 'm1',
  eventId: 'VOLUME_VOLUME_001_003',
  resourceType: 'VOLUME',
  resourceId: 'v1',
  messageLevel: 'ERROR',
  userMessage: 'No room.',
  requestId: 'req-1',
  createdAt: AT,
};

test('service list has the columns of OpenStack', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listServices: () => ({ services: [SERVICE, { ...SERVICE, disabled: true, state: ServiceState.DOWN }] }),
  });

  const { stdout } = await cli(['--api', address, 'service', 'list', '--service', 'cinder-volume', '--host', 'node1']);

  t.like(seen[0]?.request, { binary: 'cinder-volume', host: 'node1' });
  t.is(
    stdout,
    [
      '+---------------+------------+------+----------+-------+--------------------------+',
      '| Binary        | Host       | Zone | Status   | State | Updated At               |',
      '+---------------+------------+------+----------+-------+--------------------------+',
      '| cinder-volume | node1@file | nova | enabled  | up    | 2026-01-02T03:04:05.000Z |',
      '| cinder-volume | node1@file | nova | disabled | down  | 2026-01-02T03:04:05.000Z |',
      '+---------------+------------+------+----------+-------+--------------------------+',
      '',
    ].join('\n'),
  );
});

test('service versions says who holds a binary down, and with --lost what the others go without', async (t) => {
  const cap = {
    ...{ binary: 'cinder-volume', rpcVersion: '3.15', objectVersion: '1.38' },
    ...{ ownRpcVersion: '3.20', ownObjectVersion: '1.39' },
  };
  const old = { kind: VersionHolderKind.SERVICE, host: 'node2@file', rpcVersion: '3.15', objectVersion: '1.38' };
  const times = { silent: { seconds: 70, nanos: 0 }, countsFor: { seconds: 86_330, nanos: 0 } };
  const odd = { ...old, host: 'node3@file', rpcVersion: '', unreadable: true };
  const losses = [
    { kind: VersionLossKind.METHOD_REFUSED, what: 'Reimage', since: '3.18' },
    { kind: VersionLossKind.METHOD_REWORDED, what: 'Failover', since: '3.8', instead: 'FailoverHost' },
    { kind: VersionLossKind.FIELD_DROPPED, what: 'Volume.use_quota', since: '1.9' },
  ];
  const scheduler = { ...cap, binary: 'cinder-scheduler', rpcVersion: '3.12', objectVersion: '1.39' };
  const { address, seen } = await fakeApiFor(t, {
    explainVersionCap: () => ({
      caps: [
        {
          ...cap,
          holders: [{ ...old, ...times, decides: true }, odd, { kind: VersionHolderKind.PIN, rpcVersion: '3.18' }],
          losses,
        },
        scheduler,
      ],
    }),
  });
  const run = async (...argv: string[]): Promise<readonly string[]> => {
    const { stdout } = await cli(['--api', address, 'service', 'versions', '-f', 'csv', ...argv]);
    return stdout.trimEnd().split('\n').slice(1);
  };

  t.deepEqual(await run('--service', 'cinder-volume'), [
    '"cinder-volume","3.15","1.38","node2@file","3.15","1.38","70 s","86330 s"',
    '"cinder-volume","3.15","1.38","node3@file","""""","""1.38""","",""',
    '"cinder-volume","3.15","1.38","rpc_pins","3.18","","",""',
    '"cinder-scheduler","3.12","1.39","","","","",""',
  ]);
  t.like(seen[0]?.request, { binary: 'cinder-volume' });
  t.deepEqual(await run('--lost'), [
    '"cinder-volume","Reimage","3.18","refused: SERVICE_TOO_OLD"',
    '"cinder-volume","Failover","3.8","sent as FailoverHost"',
    '"cinder-volume","Volume.use_quota","1.9","left out"',
  ]);
});

test('service set disables with a reason and enables again, in either place of the command', async (t) => {
  const { address, seen } = await fakeApiFor(t, { disableService: () => ({}), enableService: () => ({}) });

  await cli([
    ...[
      '--api',
      address,
      'service',
      'set',
      '--disable',
      '--disable-reason',
      'new disks',
      'node1@file',
      'cinder-volume',
    ],
  ]);
  await cli(['--api', address, 'volume', 'service', 'set', '--enable', 'node1@file', 'cinder-volume']);

  t.deepEqual(
    seen.map(({ method, request }) => [method, withoutKey(t, request)]),
    [
      ['DisableService', { host: 'node1@file', binary: 'cinder-volume', disabledReason: 'new disks' }],
      ['EnableService', { host: 'node1@file', binary: 'cinder-volume' }],
    ],
  );
});

test('a bad service is told by what the user typed', async (t) => {
  const { address } = await fakeApiFor(t, {
    enableService: () => {
      throw new Fault('InvalidInput', { violations: [{ field: 'binary', description: 'must be …' }], omitted: 0 });
    },
  });

  const { stderr } = await cli(['--api', address, 'service', 'set', '--enable', 'h', 'b']);

  t.regex(stderr, /\n {2}<binary>: must be …\n/);
});

test('pool list names the pools; --detail and -c ask for what they can do', async (t) => {
  const capabilities = {
    storage_protocol: 'file',
    total_capacity_gb: 100,
    free_capacity_gb: 40.5,
    allocated_capacity_gb: 3,
  };
  const oddities = [
    { kind: 'stale', text: 'last reported 200 s ago' },
    { kind: 'negative', text: 'free_capacity_gb is -1' },
  ];
  const { address, seen } = await fakeApiFor(t, {
    listPools: ({ detail }) => ({ pools: [{ name: 'node1@file#pool', ...(detail && { capabilities, oddities }) }] }),
  });

  const plain = await cli(['--api', address, 'pool', 'list', '-f', 'value']);
  const detailed = await cli(['--api', address, 'volume', 'backend', 'pool', 'list', '--detail', '-f', 'json']);
  const chosen = await cli(['--api', address, 'pool', 'list', '-c', 'Capabilities', '-f', 'json']);

  t.is(plain.stdout, 'node1@file#pool\n');
  t.like((JSON.parse(detailed.stdout) as object[])[0], {
    Name: 'node1@file#pool',
    Protocol: 'file',
    Capacity: 100,
    Free: 40.5,
    Allocated: 3,
    Oddities: 'stale: last reported 200 s ago; negative: free_capacity_gb is -1',
  });
  t.deepEqual(JSON.parse(chosen.stdout), [{ Capabilities: capabilities }]);
  t.deepEqual(
    seen.map(({ request }) => (request as { detail: boolean }).detail),
    [false, true, true],
  );
});

test('messages are listed, shown and deleted', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    listMessages: () => ({ messages: [MESSAGE] }),
    getMessage: () => ({ message: MESSAGE }),
    deleteMessage: ({ messageId }) => {
      if (messageId === 'gone') throw new Fault('MessageNotFound', { messageId });
      return {};
    },
  });

  const listed = await cli([
    ...[
      '--api',
      address,
      'message',
      'list',
      '--resource',
      'v1',
      '-c',
      'Resource UUID',
      '-c',
      'User Message',
      '-f',
      'csv',
    ],
  ]);
  const shown = await cli(['--api', address, 'message', 'show', 'm1', '-f', 'yaml']);
  const deleted = await cli(['--api', address, 'message', 'delete', 'm1', 'gone']);

  t.is(listed.stdout, '"Resource UUID","User Message"\n"v1","No room."\n');
  t.like(seen[0]?.request, { resourceId: 'v1' });
  t.regex(shown.stdout, /^id: "m1"\nevent_id: "VOLUME_VOLUME_001_003"\n[^]*created_at: "2026-01-02T03:04:05\.000Z"\n/);
  t.is(deleted.code, 1);
  t.regex(deleted.stderr, /^gone: .*\n\(MESSAGE_NOT_FOUND, .*\n1 of 2 messages could not be deleted\.\n$/);
});

test('availability zone list says which zones can be used', async (t) => {
  const { address } = await fakeApiFor(t, {
    listAvailabilityZones: () => ({ availabilityZones: [{ name: 'a', available: true }, { name: 'b' }] }),
  });

  const { stdout } = await cli(['--api', address, 'availability', 'zone', 'list', '-f', 'value']);

  t.is(stdout, 'a available\nb not available\n');
});

test('quota show has a row a resource, with its use if asked', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    getQuotaSet: ({ usage }) => ({
      quotaSet: {
        projectId: 'demo',
        limits: new Map([
          ['volumes', 10],
          ['gigabytes', -1],
        ]),
        usage: new Map(usage ? [['volumes', { limit: 10, inUse: 3, reserved: 1 }]] : []),
      },
    }),
  });

  const limits = await cli(['--api', address, 'quota', 'show', 'demo', '-f', 'value']);
  const usage = await cli(['--api', address, 'quota', 'show', '--usage', '-f', 'json']);

  t.is(limits.stdout, 'volumes 10\ngigabytes -1\n');
  t.deepEqual(JSON.parse(usage.stdout), [
    { Resource: 'volumes', Limit: 10, 'In Use': 3, Reserved: 1 },
    { Resource: 'gigabytes', Limit: -1, 'In Use': null, Reserved: null },
  ]);
  t.deepEqual(
    seen.map(({ request }) => request),
    [
      { projectId: 'demo', usage: false },
      { projectId: '', usage: true },
    ],
  );
});

test('quota set sends all limits in one request, those of a type by its name', async (t) => {
  const { address, seen } = await fakeApiFor(t, { updateQuotaSet: () => ({}) });

  await cli(['--api', address, 'quota', 'set', '--volumes', '5', '--limit', 'groups=7', 'demo']);
  await cli([
    ...[
      '--api',
      address,
      'quota',
      'set',
      '--volume-type',
      'fast',
      '--gigabytes',
      '-1',
      '--per-volume-gigabytes',
      '9',
      'demo',
    ],
  ]);

  t.deepEqual(
    seen.map(({ request }) => [...(request as { limits: Map<string, number> }).limits]),
    [
      [
        ['groups', 7],
        ['volumes', 5],
      ],
      [
        ['gigabytes_fast', -1],
        ['per_volume_gigabytes', 9],
      ],
    ],
  );
});

test('quota defaults, delete and class do what they say, and the class is default where none is named', async (t) => {
  const limits = new Map([['volumes', 10]]);
  const { address, seen } = await fakeApiFor(t, {
    getDefaultQuotaSet: () => ({ quotaSet: { limits } }),
    deleteQuotaSet: () => ({}),
    getQuotaClassSet: ({ className }) => ({ quotaClassSet: { className, limits } }),
    updateQuotaClassSet: () => ({}),
  });
  const quota = (...argv: string[]) => cli(['--api', address, 'quota', ...argv]);

  t.is((await quota('defaults', '-f', 'value')).stdout, 'volumes 10\n');
  t.like(await quota('delete', 'demo'), { code: 0, stdout: '' });
  t.is((await quota('class', 'show', '-f', 'value')).stdout, 'volumes 10\n');
  t.like(await quota('class', 'set', '--volume-type', 'fast', '--snapshots', '3', '--groups', '4', 'gold'), {
    code: 0,
    stdout: '',
  });
  t.deepEqual(
    seen.map(({ method, request }) => [method, withoutKey(t, request)]),
    [
      ['GetDefaultQuotaSet', {}],
      ['DeleteQuotaSet', { projectId: 'demo' }],
      ['GetQuotaClassSet', { className: 'default' }],
      [
        'UpdateQuotaClassSet',
        {
          className: 'gold',
          limits: new Map([
            ['snapshots_fast', 3],
            ['groups', 4],
          ]),
        },
      ],
    ],
  );
});

test('quota check goes through all pages, shows what differs and fails then; sync fails only where it mends nothing', async (t) => {
  const difference = { projectId: 'demo', resource: 'volumes', figure: QuotaFigure.IN_USE, recorded: 1, inRedis: 6 };
  const pages = (token: string) =>
    token === ''
      ? { differences: [], projectCount: 200, nextPageToken: 'more' }
      : { differences: [difference], projectCount: 7 };
  const { address, seen } = await fakeApiFor(t, {
    checkQuotas: ({ pageToken }) => pages(pageToken),
    syncQuotas: ({ projectId, pageToken }) => (projectId === '' ? pages(pageToken) : { projectCount: 1 }),
  });
  const quota = (...argv: string[]) => cli(['--api', address, '--project', 'ops', 'quota', ...argv]);

  t.deepEqual(await quota('check', '-f', 'value'), {
    code: 1,
    stdout: 'demo volumes in use 1 6\n',
    stderr: '200 projects compared\n1 figure differs from the records. `cinder-grpc quota sync` mends them.\n',
  });
  t.like(await quota('sync', '-f', 'value'), { code: 0, stdout: 'demo volumes in use 1 6\n' });
  t.like(await quota('sync', '--dry-run', '-f', 'json'), { code: 1 });
  t.deepEqual(await quota('sync', '--project', 'demo', '-f', 'value'), { code: 0, stdout: '', stderr: '' });
  t.deepEqual(seen.at(-1)?.request, { projectId: 'demo', dryRun: false, pageSize: 200, pageToken: '' });
  t.is(seen.at(-1)?.metadata['x-project-id'], 'ops', 'the project to look at is not the one that looks');
});

test('quota explain has a row for each thing that makes up the usage', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    explainUsage: () => ({
      items: [
        {
          ...{ kind: UsageItemKind.RESERVATION, id: 'r1', state: 'reserved', requestId: 'req-1', expiresAt: AT },
          reserved: new Map([['volumes', 1]]),
        },
        {
          ...{ kind: UsageItemKind.RECORD, id: 'v1', resourceType: 'volume', resourceId: 'v1', state: 'available' },
          inUse: new Map([['gigabytes', 3]]),
        },
      ],
    }),
  });
  const { stdout } = await cli(['--api', address, 'quota', 'explain', 'demo', '-f', 'value']);
  t.is(
    stdout,
    "reservation  reserved  volumes='1' req-1 2026-01-02T03:04:05.000Z\nvolume v1 available gigabytes='3'   \n",
  );
  t.deepEqual(seen[0]?.request, { projectId: 'demo', pageSize: 1_000, pageToken: '' });
});

test('a bad limit is told by the option it came from', async (t) => {
  const { address } = await fakeApiFor(t, {
    updateQuotaSet: () => {
      const violations = [
        { field: 'limits["volumes"]', description: 'is below what is in use' },
        { field: 'limits["beans"]', description: 'is unknown' },
      ];
      throw new Fault('InvalidInput', { violations, omitted: 0 });
    },
  });

  const { stderr } = await cli(['--api', address, 'quota', 'set', '--volumes', '1', '--limit', 'beans=2', 'demo']);

  t.regex(stderr, /\n {2}--volumes: is below what is in use\n {2}--limit beans: is unknown\n/);
});

test('service cleanup asks for what was said, and lists who does it and who cannot', async (t) => {
  const service = { id: 'i1', binary: 'cinder-volume', host: 'node1@file', clusterName: undefined };
  const { address, seen } = await fakeApiFor(t, {
    cleanupWorkers: () => ({ cleaning: [service], unavailable: [{ ...service, id: 'i2', host: 'node2@file' }] }),
  });
  const words = [
    '--host',
    'node1@file',
    '--service',
    'cinder-volume',
    '--up',
    '--enabled',
    '--resource-type',
    'Volume',
  ];
  const { code, stdout } = await cli(['--api', address, 'service', 'cleanup', ...words, '-f', 'csv']);
  t.is(code, 0);
  t.like(seen[0]?.request, {
    ...{ host: 'node1@file', binary: 'cinder-volume', isUp: true, resourceType: 'Volume' },
    ...{ serviceId: undefined, resourceId: undefined, clusterName: undefined, disabled: false },
  });
  t.deepEqual(stdout.trim().split('\n'), [
    '"ID","Binary","Host","Cluster","State"',
    '"i1","cinder-volume","node1@file","","cleaning"',
    '"i2","cinder-volume","node2@file","","unavailable"',
  ]);
});

test('service cleanup says when no service fits', async (t) => {
  const { address } = await fakeApiFor(t, { cleanupWorkers: () => ({ cleaning: [], unavailable: [] }) });
  const cleanup = (...words: readonly string[]) =>
    cli(['--api', address, 'service', 'cleanup', '--host', 'node1@file', '-f', 'json', ...words]);
  const down = await cleanup();
  t.deepEqual([down.code, down.stdout], [0, '[]\n']);
  t.regex(down.stderr, /^No service that is down fits: nothing is begun anew\. Say --up for those that are up/);
  t.regex((await cleanup('--up')).stderr, /^No service that is up fits: nothing is begun anew\./);
});

test('log level list has a line for each part of each log', async (t) => {
  const levels = new Map([
    ['cinder.quota', 'INFO'],
    ['cinder.volume', 'DEBUG'],
  ]);
  const { address, seen } = await fakeApiFor(t, {
    getLogLevels: () => ({ services: [{ binary: 'cinder-volume', host: 'node1@file', levels }], unreached: [] }),
  });
  const words = ['--host', 'node1', '--service', 'cinder-volume', '--log-prefix', 'cinder.'];
  const { code, stdout } = await cli(['--api', address, 'log', 'level', 'list', ...words, '-f', 'csv']);
  t.is(code, 0);
  t.like(seen[0]?.request, { binary: 'cinder-volume', server: 'node1', prefix: 'cinder.' });
  t.deepEqual(stdout.trim().split('\n'), [
    '"Binary","Host","Prefix","Level"',
    '"cinder-volume","node1@file","cinder.quota","INFO"',
    '"cinder-volume","node1@file","cinder.volume","DEBUG"',
  ]);
});

test('log level set says whose level it is now, and fails for those who could not be asked', async (t) => {
  const [here, there] = [
    { binary: 'cinder-api', host: 'node1' },
    { binary: 'cinder-volume', host: 'node2@file' },
  ];
  const { address, seen } = await fakeApiFor(t, {
    setLogLevels: () => ({ changed: [here], unreached: [{ ...there, reason: 'It does not answer.' }] }),
  });
  const { code, stdout, stderr } = await cli(['--api', address, 'log', 'level', 'set', 'debug', '-f', 'csv']);
  t.is(code, 1);
  t.like(seen[0]?.request, { level: 'debug', binary: '', server: '', prefix: '' });
  t.is(stdout.trim(), '"Binary","Host"\n"cinder-api","node1"');
  t.regex(stderr, /cinder-volume on node2@file could not be asked: It does not answer\./);
});

/** The request without the key that makes a repeat of it safe: a new one each time. */
function withoutKey(t: ExecutionContext, request: unknown): object {
  const { idempotencyKey, ...rest } = request as { readonly idempotencyKey?: string };
  if (idempotencyKey !== undefined) t.regex(idempotencyKey, /^[0-9a-f-]{36}$/);
  return rest;
}
