import { readdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceError } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { openStore } from '#src/db/open-store.js';
import { statement } from '#src/db/statement.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { refusalIn } from '../support/api.js';
import { clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { type Client, installationFor, until } from '../support/installation.js';
import { postgresTest, postgresUrl } from '../support/sql.js';
import { turns } from '../support/turns.js';

const CRASHING = fileURLToPath(new URL('../support/crashing-server.js', import.meta.url));

/** A case is up to five processes. */
const turn = turns(2);

/** Where the volume service dies, or stands still, with the work claimed. */
const STUCK: readonly (readonly [flow: string, task: string, state: string, owner: 'dead' | 'slow'])[] = [
  ['volume_create_manager', 'CreateVolumeFromSpec', 'SUCCESS', 'dead'],
  ['volume_create_manager', 'CreateVolumeFromSpec', 'RUNNING', 'slow'],
  ['volume_delete_manager', 'DeleteVolumeFromBackend', 'RUNNING', 'dead'],
];

for (const [flow, task, state, owner] of STUCK) {
  const what = flow === 'volume_create_manager' ? 'creating' : 'deleting';
  postgresTest(
    `by force a volume that is stuck in ${what} with a ${owner} owner goes, once, with its file`,
    async (t) => {
      await turn(t);
      const url = await postgresUrl(t);
      const cluster = await clusterFor(t, { CINDER_DATABASE_URL: url });
      const folder = await folderFor(t);
      const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler')]);
      const admin = cluster.client(api, 'demo', 'admin');
      const steady = await cluster.start('volume', { CINDER_DATA_DIR: folder });
      const kept = await admin.available((await admin.create({ size: 2 })).id);
      const doomed = what === 'deleting' ? await admin.available((await admin.create()).id) : undefined;
      steady.child.kill('SIGTERM');
      t.is(await steady.ended(), 0);

      const signal = owner === 'dead' ? 'SIGKILL' : 'SIGSTOP';
      const stuck = await cluster.start('volume', { CINDER_DATA_DIR: folder }, [
        CRASHING,
        flow,
        task,
        state,
        'volume',
        signal,
      ]);
      const { id } = doomed ?? (await admin.create());
      if (doomed) await admin.delete(id);
      await isClaimed(t, url, id);
      t.is((await admin.get(id))?.status, doomed ? VolumeStatus.DELETING : VolumeStatus.CREATING);

      await admin.delete(id, { force: true });
      t.is((await admin.get(id))?.status, VolumeStatus.DELETING);
      if (owner === 'dead') {
        t.is(await stuck.ended(), 'SIGKILL');
        await cluster.start('volume', { CINDER_DATA_DIR: folder });
      } else {
        stuck.child.kill('SIGCONT');
      }
      await admin.gone(id);
      await charged(admin, [1, 2]);
      await until(
        async () => (filesIn(folder).join() === `volume-${kept.id}` ? true : undefined),
        'its files to be gone',
      );
    },
  );
}

postgresTest('by force a volume that no backend has taken goes at once, and is not made when one comes', async (t) => {
  await turn(t);
  const cluster = await clusterFor(t);
  const folder = await folderFor(t);
  const [api] = await Promise.all([cluster.start('api'), cluster.start('scheduler')]);
  const admin = cluster.client(api, 'demo', 'admin');
  const { id } = await admin.create();
  await admin.delete(id, { force: true });
  t.is(await admin.get(id), undefined);
  await charged(admin, [0, 0]);

  await cluster.start('volume', { CINDER_DATA_DIR: folder });
  const next = await admin.available((await admin.create()).id);
  t.deepEqual(filesIn(folder), [`volume-${next.id}`]);
  await charged(admin, [1, 1]);
});

test('a volume whose deletion has failed is deleted by force, and by an administrator only', async (t) => {
  await turn(t);
  const installation = await installationFor(t);
  const [user, admin] = [installation.client(), installation.client('demo', 'admin')];
  const { id } = await user.available((await user.create()).id);
  const pool = join(installation.folder, 'volumes/file/pool');
  await rename(pool, `${pool}.away`);
  await writeFile(pool, '');
  await user.delete(id);
  await until(
    async () => ((await user.get(id))?.status === VolumeStatus.ERROR_DELETING ? true : undefined),
    'the deletion to fail',
  );
  t.is(await reasonOf(t, user.delete(id)), 'INVALID_VOLUME');
  t.is(await reasonOf(t, user.delete(id, { force: true })), 'POLICY_NOT_AUTHORIZED');

  await rename(pool, `${pool}.file`);
  await rename(`${pool}.away`, pool);
  await admin.delete(id, { force: true, cascade: true });
  await user.gone(id);
  await charged(user, [0, 0]);
  t.is(await installation.stop(), 0);
  t.deepEqual(installation.books(), { records: new Map(), workers: 0, settlements: 0, files: [], halfMade: 0 });
});

async function reasonOf(t: ExecutionContext, call: Promise<unknown>): Promise<string> {
  return refusalIn(await t.throwsAsync<ServiceError>(call)).reason;
}

/** Waits until a volume service has claimed the work on a volume. */
async function isClaimed(t: ExecutionContext, url: string, volumeId: string): Promise<void> {
  const store = await openStore(url);
  t.teardown(() => store.close());
  await until(
    async () => ((await store.read(claimed.with({ volumeId }))).length > 0 ? true : undefined),
    `${volumeId} to be claimed`,
  );
}

const claimed = statement<{ volumeId: string }>()(({ db }, p) =>
  db
    .selectFrom('workers')
    .select('owner')
    .where('resource_id', '=', p.volumeId)
    .where('binary', '=', 'cinder-volume')
    .where('state', '=', 'claimed'),
);

/** Names of the files in the pool of the backend whose process keeps its data here. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(join(folder, 'volumes/file/pool')).filter((name) => name.includes('volume-'));
}

/** Waits until so many volumes and GiB are in use and nothing is reserved. */
async function charged(client: Client, [volumes, gigabytes]: readonly [number, number]): Promise<void> {
  await until(async () => {
    const usage = await client.usage();
    return usage.volumes.join() === `${volumes},0` && usage.gigabytes.join() === `${gigabytes},0` ? true : undefined;
  }, `${volumes} volumes with ${gigabytes} GiB to be charged`);
}
