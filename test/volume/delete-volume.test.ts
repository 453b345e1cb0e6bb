import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import {
  CONTEXT,
  destroyRecord,
  hookedDriver,
  hookedStore,
  stealRow,
  successor,
  type VolumeService,
  volumeService,
} from './volume-service.js';

test('a deleted volume leaves neither record, file nor work, and its quota is given back', async (t) => {
  const service = await volumeService(t);
  const deletion = await service.deleting({ sizeGib: 3, volumeTypeId: 'type' });

  t.is((await service.work(deletion)).ended, 'done');

  t.is(await service.volume(deletion.id), undefined);
  t.is(await service.row(deletion.id), undefined);
  t.deepEqual(await service.files(), []);
  t.deepEqual((await service.events(deletion.id)).slice(-2), ['volume.delete.start', 'volume.delete.end']);
  t.is(service.backend.allocations.inPool('pool'), 0);
  t.deepEqual(
    service.released.map(({ projectId, deltas, resourceId }) => ({ projectId, deltas, resourceId })),
    [
      {
        projectId: CONTEXT.projectId,
        deltas: { volumes: 1, gigabytes: 3, volumes_type: 1, gigabytes_type: 3 },
        resourceId: deletion.id,
      },
    ],
  );
  t.like((await service.settlements(deletion.id))[0], { kind: 'release', state: 'open', project_id: 'project' });
});

test('a volume outside the quota gives nothing back', async (t) => {
  const service = await volumeService(t);
  const deletion = await service.deleting({ useQuota: false });

  await service.work(deletion);

  t.deepEqual(service.released, []);
  t.deepEqual(await service.settlements(deletion.id), []);
});

test('a release that fails is left to recovery, and the deletion stands', async (t) => {
  const service = await volumeService(t, { releaseQuota: () => Promise.reject(new Error('Redis is away')) });
  const deletion = await service.deleting();

  t.is((await service.work(deletion)).ended, 'done');

  t.is(await service.volume(deletion.id), undefined);
  t.like((await service.settlements(deletion.id))[0], { kind: 'release', state: 'open' });
  t.is(service.releasesLeft.length, 1);
});

/** Each place where a deletion can break; `apply` counts from the deletion on. */
const BREAKS = {
  'before the start is recorded': { apply: 1, destroyed: false },
  'in the driver': { driver: true, destroyed: false },
  'before the end is recorded': { apply: 2, destroyed: true },
} as const;

for (const [where, broken] of Object.entries(BREAKS)) {
  const breaking = (what: () => Promise<void> | void) => ({
    // the creation before it has two transactions of its own
    store: hookedStore((call, nth) =>
      'apply' in broken && call === 'apply' && nth === broken.apply + 2 ? what() : undefined,
    ),
    driver: hookedDriver('driver' in broken ? { beforeDelete: what } : {}),
  });

  test(`a failure ${where} ends in error_deleting, with a message`, async (t) => {
    const fail = (): never => {
      throw new Fault('VolumeBackendAPIException', { reason: 'it broke.' });
    };
    const service = await volumeService(t, breaking(fail));
    const deletion = await service.deleting();

    t.is((await service.work(deletion)).ended, 'failed');

    const volume = await service.volume(deletion.id);
    t.is(volume?.status, 'error_deleting');
    t.is(await service.row(deletion.id), undefined);
    t.deepEqual(await service.settlements(deletion.id), []);
    t.deepEqual(service.released, []);
    t.is((await service.messages(deletion.id)).length, 1);
    t.is((await service.events(deletion.id)).at(-1), 'volume.delete.error');
    t.deepEqual(await service.files(), broken.destroyed ? [] : [`volume-${deletion.id}`]);
  });

  test(`an owner who is fenced ${where} changes no record`, async (t) => {
    let id = '';
    let before: unknown;
    const steal = async (): Promise<void> => {
      await service.store.apply([stealRow(id)]);
      before = await service.everything(id);
    };
    const service: VolumeService = await volumeService(t, breaking(steal));
    const deletion = await service.deleting();
    id = deletion.id;

    t.is((await service.work(deletion)).ended, 'fenced');

    t.deepEqual(await service.everything(id), before);
    t.deepEqual(service.released, []);
  });

  test(`the next process goes on with a deletion that a shutdown cut off ${where}`, async (t) => {
    const service: VolumeService = await volumeService(
      t,
      breaking(() => service.cutOff()),
    );
    const deletion = await service.deleting();
    t.is((await service.work(deletion)).ended, 'stuck');
    t.is((await service.volume(deletion.id))?.status, 'deleting');

    const next = await successor(t, service);
    t.is((await next.takeOver()).ended, 'done');

    t.is(await next.volume(deletion.id), undefined);
    t.deepEqual(await next.files(), []);
    t.is(next.released.length, 1);
    t.is((await next.settlements(deletion.id)).length, 1);
  });
}

test('a record that is gone already only ends the work', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed();
  const deletion = await service.forceDeletion(placed);
  await service.store.apply([destroyRecord(deletion.id)]);

  t.is((await service.work(deletion)).ended, 'done');

  t.is(await service.row(deletion.id), undefined);
  t.deepEqual(await service.messages(deletion.id), []);
});

test('the deletion of a volume that was never made ends what was claimed for its making, and no other does', async (t) => {
  const service = await volumeService(t);
  const deletion = await service.forceDeletion(await service.placed());
  t.is((await service.work(deletion)).ended, 'done');
  const [claim, ...others] = service.backend.allocations.takeEnded();
  t.like(claim, { volumeId: deletion.id, pool: 'pool' });
  t.true((claim?.epoch ?? 0) > deletion.epoch, "the scheduler's claim has a lower epoch");
  t.deepEqual(others, []);

  const made = await service.deleting();
  service.backend.allocations.takeEnded();
  t.is((await service.work(made)).ended, 'done');
  t.deepEqual(service.backend.allocations.takeEnded(), []);
});

test('a deletion on a backend that is down waits for it', async (t) => {
  const service = await volumeService(t);
  const deletion = await service.deleting();
  await service.backend.stop();

  t.is((await service.work(deletion)).ended, 'given_back');

  t.is((await service.volume(deletion.id))?.status, 'deleting');
  const row = await service.row(deletion.id);
  t.like(row, { state: 'ready', claims: 0, owner: null });
  t.true((row?.not_before ?? 0) > (row?.updated_at ?? 0));
});

test('unmanaging is refused, and nothing is destroyed', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed();
  await service.work(placed);
  const deletion = await service.forceDeletion(placed, { unmanageOnly: true });

  t.is((await service.work(deletion)).ended, 'failed');

  t.is((await service.volume(placed.id))?.status, 'error_deleting');
  t.deepEqual(await service.files(), [`volume-${placed.id}`]);
});

test('an attached volume is not destroyed, whoever asked', async (t) => {
  const service = await volumeService(t);
  const deletion = await service.deleting();
  await service.attach(deletion.id);

  t.is((await service.work(deletion)).ended, 'failed');

  t.is((await service.volume(deletion.id))?.statusReason, 'Invalid volume: the volume is still attached.');
  t.deepEqual(await service.files(), [`volume-${deletion.id}`]);
});
