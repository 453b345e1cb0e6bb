import test from 'ava';
import { AvailabilityZonesService } from '#src/gen/cinder/api/v3/availability_zones.js';
import { MessagesService } from '#src/gen/cinder/api/v3/messages.js';
import { type Service, ServicesService, ServiceState } from '#src/gen/cinder/api/v3/services.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { CleanupWorkersRequest, WorkersService } from '#src/gen/cinder/api/v3/workers.js';
import { ADMIN, answered, type Caller, callerFor, newProject, refused } from '../support/api.js';
import { type Client, installationFor, until } from '../support/installation.js';

const { listServices, enableService, disableService, getLogLevels, setLogLevels } = ServicesService;
const { listMessages, getMessage, deleteMessage } = MessagesService;
const BINARY = 'cinder-volume';
/** The first backend has more room, so it is chosen wherever it may be. */
const TWO_ZONES = {
  CINDER_ENABLED_BACKENDS: 'big,small',
  CINDER_BACKENDS_BIG_CAPACITY_GIB: '1000',
  CINDER_BACKENDS_SMALL_CAPACITY_GIB: '50',
  CINDER_BACKENDS_SMALL_AVAILABILITY_ZONE: 'attic',
  CINDER_QUOTA_VOLUMES: '-1',
};

test('a disabled backend gets no new volumes until it is enabled again, and keeps those it has', async (t) => {
  const installation = await installationFor(t, { ...TWO_ZONES, CINDER_BACKENDS_SMALL_AVAILABILITY_ZONE: 'nova' });
  const call = callerFor(t, installation);
  const client = installation.client('demo', 'admin');
  const old = await client.available((await client.create()).id);
  t.is(old.host, 'node1@big#pool');

  const off = { binary: BINARY, host: 'node1@big', disabledReason: 'new disks' };
  for (let times = 0; times < 2; times++) {
    const { service } = answered(await call(disableService, off, ADMIN));
    t.like(service, { ...off, disabled: true, state: ServiceState.UP, availabilityZone: 'nova' });
  }
  t.deepEqual(await switches(call), ['node1@big: new disks', 'node1@small: enabled']);
  await t.notThrowsAsync(placedOn(client, 'node1@small#pool'));
  await client.delete(old.id);
  await client.gone(old.id);

  const { service } = answered(await call(enableService, { binary: BINARY, host: 'node1@big' }, ADMIN));
  t.like(service, { disabled: false, disabledReason: undefined });
  await t.notThrowsAsync(placedOn(client, 'node1@big#pool'));
});

test('a zone is available while one of its backends is enabled; the host’s own zone is there without any', async (t) => {
  const installation = await installationFor(t, { ...TWO_ZONES, CINDER_STORAGE_AVAILABILITY_ZONE: 'cellar' });
  const call = callerFor(t, installation);
  const zones = async () =>
    answered(await call(AvailabilityZonesService.listAvailabilityZones, {})).availabilityZones.map(
      ({ name, available }) => `${name}: ${available}`,
    );
  t.deepEqual(await zones(), ['attic: true', 'cellar: true']);
  answered(await call(disableService, { binary: BINARY, host: 'node1@small', disabledReason: undefined }, ADMIN));
  t.deepEqual(await zones(), ['attic: false', 'cellar: true']);
});

test('services are changed by administrators only, and what is no service is said to be none', async (t) => {
  const installation = await installationFor(t);
  const call = callerFor(t, installation);
  const host = 'node1@file';
  for (const method of [enableService, disableService]) {
    const ask = async (request: object, headers: Readonly<Record<string, string>> = ADMIN) =>
      refused(await call(method, { binary: BINARY, host, disabledReason: undefined, ...request }, headers));
    t.like(await ask({}, {}), { code: 'PERMISSION_DENIED', reason: 'POLICY_NOT_AUTHORIZED' });
    for (const binary of ['', 'cinder-api', 'cinder-volume ', '__proto__']) {
      t.like(await ask({ binary }), { code: 'INVALID_ARGUMENT', fields: ['binary'] });
    }
    t.like(await ask({ host: '' }), { code: 'INVALID_ARGUMENT', fields: ['host'] });
    t.like(await ask({ host: 'node2@file' }), {
      code: 'NOT_FOUND',
      reason: 'SERVICE_NOT_FOUND',
      facts: { binary: BINARY, host: 'node2@file' },
    });
    t.is((await ask({ host, binary: 'cinder-scheduler' })).code, 'NOT_FOUND');
  }
  const both = { binary: 'x', host: '', disabledReason: 'r'.repeat(256) };
  t.deepEqual(refused(await call(disableService, both, ADMIN)).fields, ['binary', 'host', 'disabled_reason']);
  t.deepEqual(await switches(call), ['node1@file: enabled']);
});

test('a message is read and deleted by its project, lives for message_ttl, and is not there for others', async (t) => {
  const installation = await installationFor(t, { CINDER_MESSAGE_TTL: '3600' });
  const project = newProject();
  const [mine, others] = [callerFor(t, installation, project), callerFor(t, installation)];
  const off = { binary: BINARY, host: 'node1@file', disabledReason: undefined };
  answered(await mine(disableService, off, ADMIN));
  const client = installation.client(project);
  // the scheduler sees it within a second; what it places before that is available
  await until(async () => {
    const { id } = await client.create();
    const volume = await until(async () => settled(await client.get(id)), 'the volume to be settled');
    return volume.status === VolumeStatus.ERROR ? true : undefined;
  }, 'a volume to find no backend');

  const { messages } = answered(await mine(listMessages, { pageSize: 0, pageToken: '', resourceId: '' }));
  const [message] = messages;
  if (!message) throw new Error('there is no message');
  const messageId = message.id;
  t.is((message.guaranteedUntil?.getTime() ?? 0) - (message.createdAt?.getTime() ?? 0), 3_600_000);
  t.deepEqual(answered(await mine(getMessage, { messageId })).message, message);
  t.deepEqual(answered(await others(getMessage, { messageId }, ADMIN)).message, message, 'administrators see all');

  const request = { messageId, idempotencyKey: 'once' };
  for (const ask of [() => others(getMessage, { messageId }), () => others(deleteMessage, request)]) {
    t.like(refused(await ask()), { code: 'NOT_FOUND', reason: 'MESSAGE_NOT_FOUND', facts: { messageId } });
  }
  t.is(refused(await mine(deleteMessage, request, { 'x-roles': 'reader' })).code, 'PERMISSION_DENIED');
  const deletions = await Promise.all([1, 2, 3].map(() => mine(deleteMessage, request)));
  t.deepEqual(
    deletions.map(({ error }) => error),
    [undefined, undefined, undefined],
    'sent thrice, done once',
  );
  t.like(refused(await mine(deleteMessage, { messageId, idempotencyKey: undefined })), { reason: 'MESSAGE_NOT_FOUND' });
  t.like(refused(await mine(getMessage, { messageId })), { reason: 'MESSAGE_NOT_FOUND' });
  for (const id of ['', 'x', messageId.toUpperCase()]) {
    t.like(refused(await mine(getMessage, { messageId: id })), { code: 'INVALID_ARGUMENT', fields: ['message_id'] });
  }
});

/** The backends, and whether they are enabled or why not. */
async function switches(call: Caller): Promise<readonly string[]> {
  const { services } = answered(await call(listServices, { binary: BINARY, host: 'node1' }, ADMIN));
  return services.map(({ host, disabled, disabledReason }: Service) =>
    disabled ? `${host}: ${disabledReason ?? 'disabled'}` : `${host}: enabled`,
  );
}

/** Makes volumes until one is on this pool: the scheduler sees a change of its services within a second. */
async function placedOn(client: Client, host: string): Promise<void> {
  await until(
    async () => ((await client.available((await client.create()).id)).host === host ? true : undefined),
    `a volume on ${host}`,
    5_000,
  );
}

function settled<V extends { readonly status: VolumeStatus }>(volume: V | undefined): V | undefined {
  return volume && volume.status !== VolumeStatus.CREATING ? volume : undefined;
}

test('a clean-up asks the services that are up to begin their work anew, and only those', async (t) => {
  const installation = await installationFor(t);
  const call = callerFor(t, installation);
  const client = installation.client();
  const { id } = await client.available((await client.create()).id);
  const ask = (request: Partial<CleanupWorkersRequest>) =>
    call(WorkersService.cleanupWorkers, CleanupWorkersRequest.create(request), ADMIN);
  const { cleaning, unavailable } = answered(await ask({ isUp: true }));
  t.deepEqual(cleaning.map(({ binary, host }) => `${binary} ${host}`).sort(), [
    'cinder-scheduler node1',
    'cinder-volume node1@file',
  ]);
  t.deepEqual(unavailable, []);
  t.deepEqual(answered(await ask({})), { cleaning: [], unavailable: [] });
  t.like(refused(await ask({ resourceId: id })), { code: 'INVALID_ARGUMENT', fields: ['resource_id'] });
  await t.notThrowsAsync(installation.process.wrote(/work is begun anew: a clean-up was asked for/));
});

test('the level of a part of the log is set while a process runs, and shown; SIGHUP puts it back', async (t) => {
  const installation = await installationFor(t);
  const call = callerFor(t, installation);
  const client = installation.client();
  const whose = { binary: BINARY, server: 'node1', prefix: 'cinder.casts' };
  const levels = async (): Promise<string[]> => {
    const { services, unreached } = answered(await call(getLogLevels, { ...whose, binary: '*' }, ADMIN));
    t.deepEqual(unreached, []);
    return services.map(({ binary, host, levels: of }) => `${binary} ${host} ${of.get('cinder.casts')}`);
  };
  const everywhere = (level: string): string[] => [
    ...[`cinder-api node1 ${level}`, `cinder-scheduler node1 ${level}`, `cinder-volume node1@file ${level}`],
  ];
  t.deepEqual(await levels(), everywhere('INFO'));
  const { changed, unreached } = answered(await call(setLogLevels, { ...whose, level: 'debug' }, ADMIN));
  t.deepEqual([changed.map(({ host }) => host), unreached], [['node1@file'], []]);
  t.deepEqual(await levels(), everywhere('DEBUG'), 'the three are one process');
  await client.available((await client.create()).id);
  await t.notThrowsAsync(installation.process.wrote(/"level":"debug","message":"work","logger":"cinder.casts"/));

  installation.process.child.kill('SIGHUP');
  await until(async () => ((await levels())[0] === everywhere('INFO')[0] ? true : undefined), 'the level of before');
  t.like(refused(await call(setLogLevels, { ...whose, level: 'loud', binary: 'nova' }, ADMIN)), {
    ...{ code: 'INVALID_ARGUMENT', fields: ['level', 'binary'] },
  });
});
