import test, { type ExecutionContext } from 'ava';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Leftover, leftoversOf } from '#src/db/leftovers.js';
import { placeVolume, unplaceVolume } from '#src/db/volume-transitions.js';
import { deleteAnyWorker } from '#src/db/workers.js';
import { putAwayLeftovers } from '#src/volume/leftovers.js';
import { eventually } from '../support/eventually.js';
import { Gate } from '../support/gate.js';

import {
  BACKEND,
  destroyRecord,
  hookedDriver,
  hookedStore,
  type Placed,
  POOL,
  stealRow,
  successor,
  type VolumeService,
  volumeService,
} from './volume-service.js';

const PLACE = { clusterName: null, availabilityZone: 'nova' } as const;

test('what a backend that died has made is put away when it is back, however much of it there is', async (t) => {
  const dead = await volumeService(t);
  const volumes = await Promise.all(Array.from({ length: 70 }, () => dead.placed()));
  for (const volume of volumes) await placedAnew(dead, volume, `beta@file#${POOL}`);
  for (const { id } of volumes.slice(0, 3)) await dead.store.apply([destroyRecord(id)]); // also of those deleted since

  const back = await successor(t, dead);
  const { putAway } = leftovers(t, back);
  await nothingIsLeft(back);

  t.deepEqual(await volumesIn(back), []);
  t.is((await readdir(quarantineOf(back))).length, 70, 'their data stay');
  t.is(putAway.length, 70);
});

test('a volume that was placed here again keeps its file', async (t) => {
  const service = await volumeService(t);
  const volume = await service.placed();
  await placedAnew(service, volume, `${BACKEND}#${POOL}`);
  const { putAway } = leftovers(t, service);
  await nothingIsLeft(service);
  t.deepEqual(await volumesIn(service), [`volume-${volume.id}`]);
  t.deepEqual(putAway, []);
});

test('work that is on its way here is awaited, whatever the record says', async (t) => {
  const service = await volumeService(t);
  const [volume, other] = [await service.placed(), await service.placed()];
  await fileOf(service, volume);
  await service.store.apply(unplaceVolume(volume.id)); // its row of work is still there
  await placedAnew(service, other, null);
  leftovers(t, service);
  await eventually('one left', async () => (await noted(service)).length === 1);
  t.deepEqual(await volumesIn(service), [`volume-${volume.id}`]);

  await endWork(service, volume);
  await nothingIsLeft(service);
  t.deepEqual(await volumesIn(service), []);
});

test('an attempt that lost its work while it went on leaves nothing either', async (t) => {
  const gate = new Gate();
  const service = await volumeService(t, { driver: hookedDriver({ before: () => gate.enter() }) });
  const volume = await service.placed();
  await service.deliver([volume]);
  await gate.inside(1);
  await service.store.apply([stealRow(volume.id), ...unplaceVolume(volume.id)]);
  await endWork(service, volume);
  leftovers(t, service);

  gate.open();
  t.is((await service.next()).ended, 'fenced');
  await nothingIsLeft(service);
  t.deepEqual(await volumesIn(service), []);
});

test('neither the others nor the end wait for work that lasts', async (t) => {
  const gate = new Gate();
  const service = await volumeService(t, { driver: hookedDriver({ before: () => gate.enter() }) });
  const [lasting, other] = [await service.placed(), await service.placed()];
  await service.store.apply(unplaceVolume(lasting.id));
  await service.store.apply([placeVolume({ id: lasting.id, host: `${BACKEND}#${POOL}`, ...PLACE })]);
  await service.deliver([lasting]);
  await gate.inside(1);
  await writeFile(join(service.folder, POOL, `volume-${other.id}`), '');
  await service.store.apply(unplaceVolume(other.id));
  await endWork(service, other);
  const { stop } = leftovers(t, service);

  await eventually('the other gone', async () => (await volumesIn(service)).length === 0);
  await stop();
  t.is((await noted(service)).length, 1, 'that of the lasting work');
  gate.open();
  t.is((await service.next()).ended, 'done');
});

test('nothing is looked for in a pool that is gone', async (t) => {
  const service = await volumeService(t);
  const { id } = await service.placed();
  await service.store.apply([placeVolume({ id, host: `${BACKEND}#gone`, ...PLACE }), ...unplaceVolume(id)]);
  const { warnings } = leftovers(t, service);
  await nothingIsLeft(service);
  t.deepEqual(warnings, []);
});

test('what cannot be moved does not keep the others, and is tried again', async (t) => {
  const service = await volumeService(t);
  const [odd, volume] = [await service.placed(), await service.placed()];
  await placedAnew(service, volume, null);
  const path = join(service.folder, POOL, `volume-${odd.id}`);
  await mkdir(path);
  await service.store.apply(unplaceVolume(odd.id));
  await endWork(service, odd);
  leftovers(t, service);
  await eventually('no other', async () => (await noted(service)).length === 1);
  t.deepEqual(await volumesIn(service), [`volume-${odd.id}`]);

  await rmdir(path);
  await nothingIsLeft(service);
});

test('a look that fails is said, and the next one comes all the same', async (t) => {
  const service = await volumeService(t);
  await placedAnew(service, await service.placed(), null);
  let reads = 0;
  const store = hookedStore(() => {
    reads += 1;
    if (reads === 1) throw new Error('no database');
  })(service.store);
  const { warnings } = leftovers(t, service, store);
  await eventually('a warning', async () => warnings.length > 0);
  await nothingIsLeft(service);
  t.deepEqual(warnings, ['leftovers cannot be put away']);
});

/** What it says and does until the test is over. */
function leftovers(t: ExecutionContext, service: VolumeService, store = service.store) {
  const putAway: string[] = [];
  const warnings: string[] = [];
  const looking = putAwayLeftovers({
    store,
    backend: service.backend,
    log: { info: () => undefined, warn: (message) => void warnings.push(message) },
    onPutAway: () => putAway.push('one'),
    intervalMs: 10,
  });
  looking.start();
  t.teardown(() => looking.stop());
  return { putAway, warnings, stop: () => looking.stop() };
}

/** Its file was made here, then it went elsewhere: to `host`, or back to the schedulers. */
async function placedAnew(service: VolumeService, volume: Placed, host: string | null): Promise<void> {
  await fileOf(service, volume);
  await service.store.apply(unplaceVolume(volume.id));
  if (host !== null) await service.store.apply([placeVolume({ id: volume.id, host, ...PLACE })]);
  await endWork(service, volume);
}

async function fileOf(service: VolumeService, { id, epoch }: Placed): Promise<void> {
  await service.backend.driver.createVolume(
    { id, pool: POOL, sizeGib: 1, epoch, resumed: false },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
}

const endWork = ({ store }: VolumeService, { id }: Placed) =>
  store.apply([deleteAnyWorker({ resourceType: 'Volume', resourceId: id })]);

const nothingIsLeft = (service: VolumeService) =>
  eventually('nothing left', async () => (await noted(service)).length === 0);

const noted = ({ store }: VolumeService): Promise<readonly Leftover[]> =>
  leftoversOf(store, { backend: BACKEND, after: undefined, limit: 1_000 });

async function volumesIn(service: VolumeService): Promise<readonly string[]> {
  return (await service.files()).filter((name) => name.startsWith('volume-'));
}

const quarantineOf = ({ folder }: VolumeService) => join(folder, POOL, '.quarantine');
