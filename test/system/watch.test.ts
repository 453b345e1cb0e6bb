import { once } from 'node:events';
import type { ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import {
  UpdateVolumeRequest,
  VolumesService,
  VolumeStatus,
  type WatchVolumesResponse,
} from '#src/gen/cinder/api/v3/volumes.js';
import { bareClient, metadataOf, unreadStream } from '../support/rpc.js';
import { answered, callerFor, newProject, refusalIn } from '../support/api.js';
import { installationFor, sharedInstallation, until } from '../support/installation.js';
import { watchingFor } from '../support/watching.js';

const installation = sharedInstallation();

const { CREATING, AVAILABLE, DELETING, DELETED } = VolumeStatus;
const is =
  (volumeId: string, status: VolumeStatus) =>
  ({ volume }: WatchVolumesResponse): boolean =>
    volume?.id === volumeId && volume.status === status;

test('a watcher sees a volume from its acceptance to its end, each change once and in order', async (t) => {
  const projectId = newProject();
  const watching = await watchingFor(t, installation(), projectId);
  const client = installation().client(projectId);
  const { id } = await client.create({ name: 'watched' });
  await watching.sees('it available', is(id, AVAILABLE));
  await client.delete(id);
  await watching.sees('it deleted', is(id, DELETED));

  const statuses = watching.changes.map(({ volume }) => volume?.status);
  t.deepEqual(
    statuses.filter((status, index) => status !== statuses[index - 1]),
    [CREATING, AVAILABLE, DELETING, DELETED],
  );
  t.is(new Set(watching.changes.map(({ resumeToken }) => resumeToken)).size, watching.changes.length);
  t.true(watching.changes.every(({ volume }) => volume?.name === 'watched' && volume.host === undefined));
});

test('from any token a watch goes on with exactly what came after it', async (t) => {
  const projectId = newProject();
  const first = await watchingFor(t, installation(), projectId);
  const client = installation().client(projectId);
  const ids = await Promise.all([1, 2, 3].map(async () => (await client.create()).id));
  for (const id of ids) await first.sees('all available', is(id, AVAILABLE));
  const { changes } = first;

  for (const at of [0, Math.floor(changes.length / 2), changes.length - 2]) {
    const again = await watchingFor(t, installation(), projectId, { resumeToken: changes[at]?.resumeToken ?? '' });
    const rest = changes.slice(at + 1).map(({ resumeToken }) => resumeToken);
    await until(async () => (again.changes.length >= rest.length ? true : undefined), 'the rest');
    t.deepEqual(
      again.changes.map(({ resumeToken }) => resumeToken),
      rest,
    );
    again.cancel();
  }
});

test('watchers who read nothing are given up once they have lost changes, and others get their places', async (t) => {
  const PLACES_OF_A_PROJECT = 100;
  const own = await installationFor(t, { CINDER_WATCH_BUFFER: '5' });
  const { id } = await own.client().create();
  const unread = Array.from({ length: PLACES_OF_A_PROJECT }, () =>
    unreadStream(t, own, VolumesService.watchVolumes.path, {
      headers: { 'x-project-id': 'demo' },
      settings: { initialWindowSize: 0 },
    }),
  );
  await Promise.all(unread.map((stream) => once(stream, 'response')));
  const refused = await t.throwsAsync<ServiceError>(watchingFor(t, own, 'demo'));
  t.is(refusalIn(refused).code, 'RESOURCE_EXHAUSTED');

  const call = callerFor(t, own, 'demo');
  for (let n = 0; n < 40; n += 1) {
    answered(await call(VolumesService.updateVolume, UpdateVolumeRequest.create({ volumeId: id, name: `name ${n}` })));
  }

  const watching = await until(() => watchingFor(t, own, 'demo').catch(() => undefined), 'a place to be free');
  await own.client().delete(id);
  await watching.sees('it deleted', is(id, DELETED));
});

test('a watch goes on over a restart of the server', async (t) => {
  const own = await installationFor(t);
  const client = own.client();
  const watching = await watchingFor(t, own, 'demo');
  const { id } = await client.create();
  const { resumeToken } = await watching.sees('it available', is(id, AVAILABLE));
  await client.delete(id);
  await client.gone(id);
  t.is(await own.stop(), 0);

  await own.start();
  const again = await watchingFor(t, own, 'demo', { resumeToken });
  await again.sees('what happened after the token', is(id, DELETED));
  t.deepEqual(
    again.changes.flatMap(({ volume }) => volume?.status ?? []).filter((status, n, all) => status !== all[n - 1]),
    [DELETING, DELETED],
  );
});

test('a watch of one volume, and of another project, sees nothing of the others', async (t) => {
  const [mine, others] = [newProject(), newProject()];
  const client = installation().client(mine);
  const chosen = await client.create();
  const ofOthers = await watchingFor(t, installation(), others);
  const ofOne = await watchingFor(t, installation(), mine, { volumeIds: [chosen.id] });
  const ofForeign = await watchingFor(t, installation(), others, { volumeIds: [chosen.id] });
  const ofAll = await watchingFor(t, installation(), mine);
  const other = await client.create();
  await client.available(chosen.id);
  await client.available(other.id);
  await client.delete(chosen.id);
  await ofOne.sees('the chosen one deleted', is(chosen.id, DELETED));
  await ofAll.sees('the other one available', is(other.id, AVAILABLE));

  const { id } = await installation().client(others).create();
  await ofOthers.sees('its own volume', is(id, AVAILABLE));
  t.deepEqual([...new Set(ofOthers.changes.map(({ volume }) => volume?.id))], [id]);
  t.deepEqual([...new Set(ofOne.changes.map(({ volume }) => volume?.id))], [chosen.id]);
  t.deepEqual(ofForeign.changes, []);
});

test("a token that was changed, or is another project's, is refused", async (t) => {
  const projectId = newProject();
  const watching = await watchingFor(t, installation(), projectId);
  const { id } = await installation().client(projectId).create();
  const { resumeToken } = await watching.sees('it available', is(id, AVAILABLE));
  const changed = `${resumeToken.slice(0, -3)}${resumeToken.at(-3) === 'A' ? 'B' : 'A'}${resumeToken.slice(-2)}`;
  for (const [project, token] of [
    [projectId, changed],
    [projectId, 'x'],
    [newProject(), resumeToken],
  ] as const) {
    const refusal = refusalIn(await endOf(t, project, { resumeToken: token, volumeIds: [] }));
    t.like(refusal, { code: 'INVALID_ARGUMENT', reason: 'INVALID_INPUT', fields: ['resume_token'] });
  }
  const refusal = refusalIn(await endOf(t, projectId, { resumeToken: '', volumeIds: ['x'] }));
  t.deepEqual(refusal.fields, ['volume_ids[0]']);
});

test('a server that stops ends its watches with a typed error that says to try again', async (t) => {
  const own = await installationFor(t);
  const watching = await watchingFor(t, own, 'demo');
  t.is(await own.stop(), 0);
  const error = await until(async () => watching.ended(), 'the watch to end');
  if (error === 'end') return t.fail('it ended as if there was nothing more to come');
  t.like(refusalIn(error), { code: 'UNAVAILABLE', reason: 'SERVICE_STOPPING', retryMs: 1_000 });
});

/** The error that a watch is refused with. */
function endOf(
  t: Parameters<typeof bareClient>[0],
  projectId: string,
  request: { readonly resumeToken: string; readonly volumeIds: string[] },
): Promise<ServiceError> {
  const { path, requestSerialize, responseDeserialize } = VolumesService.watchVolumes;
  const headers = metadataOf({ 'x-project-id': projectId });
  const call = bareClient(t, installation()).makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    headers,
  );
  return new Promise((resolve, reject) => {
    call.on('error', resolve);
    call.on('data', () => reject(new Error('it was not refused')));
  });
}
