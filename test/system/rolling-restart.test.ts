import test, { type ExecutionContext } from 'ava';
import { type CinderClient, watchVolumes } from '#src/client/index.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { clientFor } from '../support/client.js';
import { atWork, onlyThese } from '../support/client-at-work.js';
import { clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { Installation, until } from '../support/installation.js';
import { freePort } from '../support/redis.js';

const { AVAILABLE } = VolumeStatus;

/** The volumes that were kept are there, each once; the watcher has seen each become available. */
async function eachOnce(
  t: ExecutionContext,
  client: CinderClient,
  kept: ReadonlySet<string>,
  available: ReadonlySet<string>,
): Promise<void> {
  await until(async () => ([...kept].every((id) => available.has(id)) ? true : undefined), 'all to be seen');
  await onlyThese(t, client, kept);
}

/** Ids of the volumes that a watch has shown as available; it ends with the client. */
function watched(t: ExecutionContext, client: CinderClient): ReadonlySet<string> {
  const available = new Set<string>();
  const leaving = new AbortController();
  t.teardown(() => leaving.abort());
  void (async () => {
    for await (const { volume } of watchVolumes(client, { signal: leaving.signal })) {
      if (volume?.status === AVAILABLE) available.add(volume.id);
    }
  })().catch((error: unknown) => leaving.signal.aborted || t.fail(String(error)));
  return available;
}

test('a client at work sees nothing of a service that is restarted in good order, and of one that is killed', async (t) => {
  const installation = new Installation(t, await folderFor(t), {
    CINDER_API_LISTEN: `127.0.0.1:${await freePort()}`,
    ...{ CINDER_QUOTA_VOLUMES: '1000', CINDER_QUOTA_GIGABYTES: '1000' },
  });
  await installation.start();
  const client = clientFor(t, installation);
  const available = watched(t, client);
  const work = atWork(t, client);
  await work.goesOn();
  t.is(await installation.stop(), 0);
  await installation.start();
  await work.goesOn();
  installation.process.child.kill('SIGKILL');
  await installation.process.ended();
  await installation.start();
  await work.goesOn();
  await eachOnce(t, client, await work.stop(), available);
});

test('a client at work sees nothing of a rolling restart of two APIs', async (t) => {
  const cluster = await clusterFor(t);
  const listen = [await freePort(), await freePort()].map((port) => ({ CINDER_API_LISTEN: `127.0.0.1:${port}` }));
  await cluster.start('volume');
  await cluster.start('scheduler');
  const apis = await Promise.all(listen.map((environment) => cluster.start('api', environment)));
  const address = `ipv4:${apis.map((api) => api.address).join(',')}`;
  const client = clientFor(t, { address }, { timeoutMs: 10_000 });
  const available = watched(t, client);
  const work = atWork(t, client);
  await work.goesOn();
  for (const [index, api] of apis.entries()) {
    api.child.kill('SIGTERM');
    t.is(await api.ended(), 0);
    await work.goesOn(); // at the other one
    await cluster.start('api', listen[index]);
    await work.goesOn();
  }
  await eachOnce(t, client, await work.stop(), available);
});
