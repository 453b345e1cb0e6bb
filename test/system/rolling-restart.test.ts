import test, { type ExecutionContext } from 'ava';
import { type CinderClient, watchVolumes } from '#src/client/index.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { clientFor } from '../support/client.js';
import { clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { Installation, until } from '../support/installation.js';
import { freePort } from '../support/redis.js';

const { AVAILABLE } = VolumeStatus;
/** Callers at the same time. */
const CALLERS = 4;

/** A client at work, without a pause, until it is told to stop. */
interface Load {
  /** Calls that were answered so far. */
  readonly answered: () => number;
  /** Ends it: the volumes that were accepted. Throws what a call has thrown. */
  stop(): Promise<ReadonlySet<string>>;
}

/** Makes volumes, reads them and lists them. */
function load(client: CinderClient): Load {
  const accepted = new Set<string>();
  let [answered, isStopped] = [0, false];
  const caller = async (): Promise<void> => {
    while (!isStopped) {
      const { volume } = await client.volumes.createVolume({ size: 1 });
      const { id } = volume ?? { id: '' };
      accepted.add(id);
      await client.volumes.getVolume({ volumeId: id });
      await client.volumes.listVolumes({ pageSize: 1 });
      answered += 3;
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, caller));
  callers.catch(() => (isStopped = true));
  return {
    answered: () => answered,
    stop: async () => {
      isStopped = true;
      await callers;
      return accepted;
    },
  };
}

/** Lets some calls pass. */
async function goesOn(work: Load): Promise<void> {
  const before = work.answered();
  await until(async () => (work.answered() >= before + 12 ? true : undefined), 'calls to be answered').catch(
    async (error: unknown) => {
      await work.stop(); // its own error says more
      throw error;
    },
  );
}

/** Every volume that was accepted becomes available, seen by the watcher; there is no other. */
async function eachOnce(
  t: ExecutionContext,
  client: CinderClient,
  accepted: ReadonlySet<string>,
  available: ReadonlySet<string>,
): Promise<void> {
  await until(async () => ([...accepted].every((id) => available.has(id)) ? true : undefined), 'all to be available');
  const { volumes, nextPageToken } = await client.volumes.listVolumes({ pageSize: 1_000 });
  t.is(nextPageToken, '');
  t.deepEqual(volumes.map(({ id }) => id).toSorted(), [...accepted].toSorted(), 'a retry made no second volume');
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
  const work = load(client);
  await goesOn(work);
  t.is(await installation.stop(), 0);
  await installation.start();
  await goesOn(work);
  installation.process.child.kill('SIGKILL');
  await installation.process.ended();
  await installation.start();
  await goesOn(work);
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
  const work = load(client);
  await goesOn(work);
  for (const [index, api] of apis.entries()) {
    api.child.kill('SIGTERM');
    t.is(await api.ended(), 0);
    await goesOn(work); // at the other one
    await cluster.start('api', listen[index]);
    await goesOn(work);
  }
  await eachOnce(t, client, await work.stop(), available);
});
