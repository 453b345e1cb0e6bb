import { once } from 'node:events';
import { ChannelCredentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import { QuotasService } from '#src/gen/cinder/api/v3/quotas.js';
import {
  CreateVolumeRequest,
  UpdateVolumeRequest,
  VolumesClient,
  VolumesService,
} from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, callerFor, newProject, refusalIn, refused } from '../support/api.js';
import { sharedInstallation, until } from '../support/installation.js';

/** Each set otherwise than by default, and shown by what a process then does: an option that reaches nobody is found. */
const BOUNDS = {
  CINDER_MAX_REQUEST_BYTES: '100000',
  CINDER_MAX_CONCURRENT_REQUESTS_PER_PROJECT: '9',
  CINDER_WATCH_BUFFER: '2',
  CINDER_VOLUME_CONCURRENCY: '3',
  CINDER_VOLUME_COPY_CONCURRENCY: '2',
  ...{ CINDER_QUOTA_SNAPSHOTS: '31', CINDER_QUOTA_BACKUPS: '32', CINDER_QUOTA_BACKUP_GIGABYTES: '33' },
  ...{ CINDER_QUOTA_GROUPS: '34', CINDER_QUOTA_VOLUMES: '35', CINDER_QUOTA_GIGABYTES: '36' },
  CINDER_PER_VOLUME_SIZE_LIMIT: '37',
};
const installation = sharedInstallation({ ...BOUNDS, CINDER_LOG_LEVEL: 'debug' });

/** Metadata of so many characters of one byte. */
const metadata = (length: number) =>
  new Map(Array.from({ length: Math.ceil(length / 510) }, (_, n) => [`${n}`.padEnd(255, 'k'), 'v'.repeat(255)]));

test.serial('max_request_bytes: a larger request is refused before anybody reads it', async (t) => {
  const call = callerFor(t, installation());
  const ask = (name: string) => call(VolumesService.createVolume, CreateVolumeRequest.fromPartial({ size: 1, name }));
  const { code, message } = refused(await ask('x'.repeat(100_000)));
  t.deepEqual([code, /vs\.? 100000\)$/.test(message)], ['RESOURCE_EXHAUSTED', true], message);
  t.is(refused(await ask('x'.repeat(90_000))).code, 'INVALID_ARGUMENT');
});

test.serial('max_concurrent_requests_per_project: more at once are refused, of that project alone', async (t) => {
  const [call, other] = [callerFor(t, installation()), callerFor(t, installation())];
  const create = CreateVolumeRequest.fromPartial({ size: 1 });
  const [answers, others] = await Promise.all([
    Promise.all(Array.from({ length: 30 }, () => call(VolumesService.createVolume, create))),
    Promise.all(Array.from({ length: 5 }, () => other(VolumesService.createVolume, create))),
  ]);
  const refusals = answers.filter(({ error }) => error !== undefined).map(refused);
  t.true(refusals.length > 0 && answers.length - refusals.length >= 9);
  for (const { reason, facts } of refusals) {
    t.deepEqual([reason, facts], ['TOO_MANY_REQUESTS', { what: 'requests of one project', limit: '9' }]);
  }
  for (const answer of others) answered(answer);
});

test.serial('watch_buffer: a watch whose reader is slower than that ends, and says so', async (t) => {
  const project = newProject();
  const call = callerFor(t, installation(), project);
  const { id } = await installation()
    .client(project)
    .create({ metadata: metadata(60_000) });
  const client = new VolumesClient(installation().address, ChannelCredentials.createInsecure());
  const headers = new Metadata();
  headers.set('x-project-id', project);
  const watch = client.watchVolumes({ resumeToken: '', volumeIds: [] }, headers);
  t.teardown(() => {
    watch.cancel();
    client.close();
  });
  await once(watch, 'metadata');
  const change = async (name: string) => {
    const request = { volumeId: id, name, updateMask: ['name'] };
    answered(await call(VolumesService.updateVolume, UpdateVolumeRequest.fromPartial(request)));
  };
  // a client of grpc-js reads without bound until its first message is asked for, and keeps 16 once it pauses
  const first = once(watch, 'data');
  await change('first');
  await first;
  watch.pause();
  for (let more = 0; more < 80; more += 1) await change(`later ${more}`);

  let ended: ServiceError | undefined;
  watch.on('error', (error: ServiceError) => (ended = error));
  watch.resume();
  const error = await until(async () => ended, 'the watch to end', 10_000);
  t.like(refusalIn(error), { code: 'RESOURCE_EXHAUSTED', reason: 'WATCH_TOO_SLOW', facts: { buffered: '2' } });
});

test.serial(
  'volume_concurrency, volume_copy_concurrency: so many volumes are made, and copied, at a time',
  async (t) => {
    const client = installation().client(newProject());
    const made = await createdAtOnce(client, 9);
    t.is(mostAtOnce(made), 3);
    const [sourceVolumeId = ''] = made;
    t.is(mostAtOnce(await createdAtOnce(client, 9, { sourceVolumeId })), 2);
  },
);

test.serial('quota_*, per_volume_size_limit: they are the limits of a project that has none of its own', async (t) => {
  const call = callerFor(t, installation());
  const { quotaSet } = answered(await call(QuotasService.getDefaultQuotaSet, { projectId: newProject() }, ADMIN));
  const names = ['snapshots', 'backups', 'backup_gigabytes', 'groups', 'volumes', 'gigabytes', 'per_volume_gigabytes'];
  t.deepEqual(
    names.map((name) => quotaSet?.limits.get(name)),
    [31, 32, 33, 34, 35, 36, 37],
  );
});

type Client = ReturnType<ReturnType<typeof installation>['client']>;

async function createdAtOnce(client: Client, count: number, request: Parameters<Client['create']>[0] = {}) {
  const volumes = await Promise.all(Array.from({ length: count }, () => client.create(request)));
  for (const { id } of volumes) await client.available(id);
  return volumes.map(({ id }) => id);
}

/** How many flows of the volume service worked on these volumes at the same time, at most, as the log says. */
function mostAtOnce(ids: readonly string[]): number {
  let [working, most] = [0, 0];
  for (const line of installation().process.stderr().split('\n').slice(0, -1)) {
    if (!line.includes('"message":"flow"') || !line.includes('"flow":"volume_create_manager"')) continue;
    const { resourceId, state } = JSON.parse(line) as { resourceId: string; state: string };
    if (!ids.includes(resourceId)) continue;
    working += state === 'RUNNING' ? 1 : -1;
    most = Math.max(most, working);
  }
  return most;
}
