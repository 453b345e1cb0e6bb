import { randomBytes, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { statement } from '#src/db/statement.js';
import type { Step } from '#src/db/store.js';
import { placeVolume } from '#src/db/volume-transitions.js';
import type { Retry } from '#src/objects/request-spec.js';
import { eventually } from '../support/redis.js';
import { gatedCopy, processGone, programFor } from '../support/programs.js';
import { BACKEND, destroyRecord, POOL, stealRow, successor, volumeService } from './volume-service.js';

const MIB = 2 ** 20;
const RETRY: Retry = { numAttempts: 1, backends: [`${BACKEND}#${POOL}`], exc: [] };

test('a clone is made from its source, counts for itself, and leaves no progress behind', async (t) => {
  const service = await volumeService(t);
  const content = randomBytes(MIB);
  const source = await service.source(content);
  const clone = await service.placed({ sourceVolumeId: source.id, sizeGib: 2 });

  t.is((await service.work(clone)).ended, 'done');

  const volume = await service.volume(clone.id);
  t.like(volume, { status: 'available', sourceVolumeId: source.id, sizeGib: 2 });
  t.true((await service.content(clone.id, MIB)).equals(content));
  t.is((await stat(join(service.folder, POOL, `volume-${clone.id}`))).size, 2 * 2 ** 30);
  t.deepEqual(await service.events(clone.id), ['volume.create.start', 'volume.create.end']);
  t.is(service.backend.allocations.inPool(POOL), 3);
  t.deepEqual(await service.files(), [`volume-${clone.id}`, `volume-${source.id}`].sort());
});

test('a clone whose source is gone ends in error, and its owner is told why', async (t) => {
  const service = await volumeService(t);
  const source = await service.source(randomBytes(10));
  const clone = await service.placed({ sourceVolumeId: source.id }, { retry: RETRY });
  await service.store.apply([destroyRecord(source.id)]);

  t.is((await service.work(clone)).ended, 'failed');

  const volume = await service.volume(clone.id);
  t.like(volume, { status: 'error', statusReason: `Volume ${source.id} could not be found.` });
  t.deepEqual(await service.messages(clone.id), [
    `008 001 create volume from backend storage: An unknown error occurred. ${volume?.statusReason ?? ''}`,
  ]);
  t.is(service.backend.allocations.inPool(POOL), 2, 'it counts until it is deleted');
});

test('a clone whose source is somewhere else goes back to the scheduler', async (t) => {
  const service = await volumeService(t);
  const source = await service.source(randomBytes(10));
  const elsewhere = await service.placed();
  await service.store.apply([
    placeVolume({ id: elsewhere.id, host: 'beta@file#pool', clusterName: null, availabilityZone: 'nova' }),
  ]);
  const clone = await service.placed({ sourceVolumeId: elsewhere.id }, { retry: RETRY });

  t.is((await service.work(clone)).ended, 'given_back');

  t.is((await service.volume(clone.id))?.host, null);
  t.deepEqual(await service.files(), [`volume-${source.id}`]);
});

test('a device that is full in the middle of a copy sends the clone back, and the copy is removed', async (t) => {
  const { path } = await programFor(t, 'cp', 'head -c 4096 /dev/zero >&4; echo "No space left on device" >&2; exit 1');
  const service = await volumeService(t, { programPath: path });
  const source = await service.source(randomBytes(10));
  const clone = await service.placed({ sourceVolumeId: source.id }, { retry: RETRY });

  t.is((await service.work(clone)).ended, 'given_back');

  t.like(await service.volume(clone.id), { status: 'creating', host: null });
  t.like(await service.row(clone.id), { state: 'ready', binary: 'cinder-scheduler' });
  t.deepEqual(await service.files(), [`volume-${source.id}`]);
  t.is(service.backend.allocations.inPool(POOL), 1);
  t.is((await service.events(clone.id)).at(-1), 'volume.create.reschedule');
  t.false((await service.events(clone.id)).includes('volume.create.progress'));
});

test('a clone that is deleted by force in the middle of its copy: the copy ends at once, and nothing is left', async (t) => {
  const gate = await gatedCopy(t);
  const service = await volumeService(t, { programPath: gate.path });
  const source = await service.source(randomBytes(MIB));
  const clone = await service.placed({ sourceVolumeId: source.id }, { retry: RETRY });
  await service.deliver([clone]);
  const pid = await gate.begun();

  await service.deliver([await service.forceDeletion(clone)]);
  const endings = [await service.next(), await service.next()];

  t.deepEqual(
    endings.map(({ claim, ended }) => [claim.method, ended]),
    [
      ['CreateVolume', 'fenced'],
      ['DeleteVolume', 'done'],
    ],
  );
  await processGone(pid);
  t.is(await service.volume(clone.id), undefined);
  t.deepEqual(await service.files(), [`volume-${source.id}`]);
  t.is(service.backend.allocations.inPool(POOL), 1);
  t.is(service.released.length, 1);
  t.is((await service.volume(source.id))?.status, 'available');
});

test('a copy whose work somebody else has taken over notices at its next report, and ends', async (t) => {
  const gate = await gatedCopy(t);
  const service = await volumeService(t, { programPath: gate.path });
  const source = await service.source(randomBytes(MIB));
  const clone = await service.placed({ sourceVolumeId: source.id });
  await service.deliver([clone]);
  await eventually('it is under way', async () => (await service.events(clone.id)).includes('volume.create.progress'));
  await service.store.apply([stealRow(clone.id)]);
  const before = await service.everything(clone.id);

  t.is((await service.next()).ended, 'fenced');

  t.deepEqual(await service.everything(clone.id), before);
  t.deepEqual(await service.files(), [`volume-${source.id}`]);
  await processGone(await gate.begun());
});

test('a source is not destroyed while it is copied, whatever comes to destroy it', async (t) => {
  const gate = await gatedCopy(t);
  const service = await volumeService(t, { programPath: gate.path });
  const content = randomBytes(MIB);
  const source = await service.source(content);
  const clone = await service.placed({ sourceVolumeId: source.id });
  await service.deliver([clone]);
  await gate.begun();
  const deletion = await deletionBehindTheBack();

  await service.deliver([deletion]);
  await new Promise((resolve) => setTimeout(resolve, 50)); // a deletion that does not wait takes 5 ms
  t.true((await service.files()).includes(`volume-${source.id}`));
  await gate.open();
  const endings = [await service.next(), await service.next()];

  t.deepEqual(
    endings.map(({ claim, ended }) => [claim.method, ended]),
    [
      ['CreateVolume', 'done'],
      ['DeleteVolume', 'done'],
    ],
  );
  t.deepEqual(await service.files(), [`volume-${clone.id}`]);
  t.true((await service.content(clone.id, MIB)).equals(content));

  /** No statement of ours deletes a source while a clone of it is made: for a moment the record forgets its source. */
  async function deletionBehindTheBack() {
    await service.store.apply([setSource(clone.id, null)]);
    const deletion = await service.forceDeletion(source);
    await service.store.apply([setSource(clone.id, source.id)]);
    return deletion;
  }
});

test('copies have places of their own: short work passes them', async (t) => {
  const gate = await gatedCopy(t);
  const service = await volumeService(t, { programPath: gate.path, concurrency: 1, copyConcurrency: 1 });
  const source = await service.source(randomBytes(MIB));
  const clones = [1, 2].map(() => service.placed({ sourceVolumeId: source.id }));
  await service.deliver(await Promise.all(clones));
  await gate.begun();
  const blank = await service.placed();

  t.is((await service.work(blank)).claim.resourceId, blank.id);

  t.is((await service.files()).filter((name) => name.startsWith('.')).length, 1, 'one copy at a time');
  await gate.open();
  t.deepEqual([(await service.next()).ended, (await service.next()).ended], ['done', 'done']);
});

test('a process that ends begins no copy that waits for its turn: its row is given back, and that does not count', async (t) => {
  const gate = await gatedCopy(t);
  const service = await volumeService(t, { programPath: gate.path, copyConcurrency: 1 });
  const source = await service.source(randomBytes(MIB));
  const [running, waiting] = [
    await service.placed({ sourceVolumeId: source.id }),
    await service.placed({ sourceVolumeId: source.id }),
  ];
  await service.deliver([running, waiting]);
  await gate.begun();

  service.backend.drain();

  await eventually('the row is given back', async () => (await service.row(waiting.id))?.state === 'ready');
  t.like(await service.row(waiting.id), { claims: 0, owner: null });
  t.like(await service.row(running.id), { state: 'claimed', claims: 1 });
  await gate.open();
  const { ended, claim } = await service.next();
  t.deepEqual([ended, claim.resourceId], ['done', running.id]);
});

test('the next process makes the clone anew that its predecessor was copying', async (t) => {
  const gate = await gatedCopy(t);
  const service = await volumeService(t, { programPath: gate.path });
  const content = randomBytes(MIB);
  const source = await service.source(content);
  const clone = await service.placed({ sourceVolumeId: source.id }, { retry: RETRY });
  await service.deliver([clone]);
  const pid = await gate.begun();
  const next = await successor(t, service);
  await processGone(pid);
  t.is((await service.next()).ended, 'stuck');

  t.is((await next.takeOver()).ended, 'done');

  t.is((await next.volume(clone.id))?.status, 'available');
  t.true((await next.content(clone.id, MIB)).equals(content));
  t.deepEqual(await next.files(), [`volume-${clone.id}`, `volume-${source.id}`].sort());
  t.false((await next.events(clone.id)).includes('volume.create.progress'), 'also what the first one had reported');
  t.is(next.backend.allocations.inPool(POOL), 2);
});

test('a source of an id that nobody has is not found', async (t) => {
  const service = await volumeService(t);
  const clone = await service.placed({ sourceVolumeId: randomUUID() });
  t.is((await service.work(clone)).ended, 'failed');
  t.regex((await service.volume(clone.id))?.statusReason ?? '', /could not be found/);
});

function setSource(id: string, source: string | null): Step {
  return { statement: sourceOf.with({ id, source }), rows: 1 };
}

const sourceOf = statement<{ id: string; source: string | null }>()(({ db }, p) =>
  db.updateTable('volumes').set({ source_volume_id: p.source }).where('id', '=', p.id),
);
