import test, { type ExecutionContext } from 'ava';
import { existsSync } from 'node:fs';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCreateVolumeOnScheduler } from '#src/casts/cast-messages.js';
import { MAX_CLAIMS } from '#src/casts/attempts.js';
import { CommitUnknown } from '#src/db/store.js';
import { placeVolume } from '#src/db/volume-transitions.js';
import { Fault } from '#src/errors/fault.js';
import type { Retry } from '#src/objects/request-spec.js';
import { Gate } from '../support/gate.js';
import {
  BACKEND,
  beginsOfRow,
  CONTEXT,
  destroyRecord,
  hookedDriver,
  hookedStore,
  stealRow,
  successor,
  type VolumeService,
  volumeService,
} from './volume-service.js';

const GIB = 1024 ** 3;
const RETRY: Retry = { numAttempts: 1, backends: [`${BACKEND}#pool`], exc: [] };

test('a volume is made, becomes available, and its work is over', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed({ sizeGib: 2 });

  const { ended } = await service.work(placed);

  t.is(ended, 'done');
  const volume = await service.volume(placed.id);
  t.is(volume?.status, 'available');
  t.is(volume?.serviceId, 'service-1');
  t.false(volume?.sharedTargets);
  t.true((volume?.launchedAt ?? 0) > 0);
  t.is(await service.row(placed.id), undefined);
  t.deepEqual(await service.files(), [`volume-${placed.id}`]);
  t.deepEqual(await service.events(placed.id), ['volume.create.start', 'volume.create.end']);
  t.is(service.backend.allocations.inPool('pool'), 2);
});

test('a temporary volume makes no noise at the start', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed({ useQuota: false });
  await service.work(placed);
  t.false((await service.events(placed.id)).includes('volume.create.start'));
});

/** Each place where a creation can break, and whether the volume had been made by then. */
const BREAKS = {
  'before the start is recorded': { apply: 1, made: false },
  'in the driver, before the volume is made': { driver: 'before', made: false },
  'in the driver, after the volume is made': { driver: 'after', made: true },
  'before the end is recorded': { apply: 2, made: true },
} as const;

for (const [where, broken] of Object.entries(BREAKS)) {
  const breaking = (what: () => Promise<void> | void) => ({
    store: hookedStore((call, nth) =>
      'apply' in broken && call === 'apply' && nth === broken.apply ? what() : undefined,
    ),
    driver: hookedDriver('driver' in broken ? { [broken.driver]: what } : {}),
  });
  const fail = (): never => {
    throw new Fault('VolumeBackendAPIException', { reason: 'it broke.' });
  };

  test(`a failure ${where} gives the volume back to the scheduler, and removes what was made`, async (t) => {
    const service = await volumeService(t, breaking(fail));
    const placed = await service.placed({}, { retry: RETRY });

    t.is((await service.work(placed)).ended, 'given_back');

    const volume = await service.volume(placed.id);
    t.is(volume?.status, 'creating');
    t.is(volume?.host, null);
    const row = await service.row(placed.id);
    t.like(row, { state: 'ready', binary: 'cinder-scheduler', target: null, owner: null, epoch: 3, claims: 0 });
    const cast = readCreateVolumeOnScheduler(Buffer.from(row?.payload ?? []));
    t.deepEqual(cast.filterProperties.retry, {
      numAttempts: 1,
      backends: RETRY.backends,
      exc: ['VolumeBackendAPIException: Bad or unexpected response from the storage backend: it broke.'],
    });
    t.is(cast.requestSpec?.volumeId, placed.id);
    t.is(cast.volume.host, null);
    t.deepEqual(await service.files(), []);
    t.is(service.backend.allocations.inPool('pool'), 0);
    t.deepEqual(
      service.sent.map(({ resourceId, epoch, target, message }) => [resourceId, epoch, target, message.binary]),
      [[placed.id, 3, null, 'cinder-scheduler']],
    );
    t.is((await service.events(placed.id)).at(-1), 'volume.create.reschedule');
    t.deepEqual(await service.messages(placed.id), []);
  });

  test(`a failure ${where} ends in error when there is nobody to give the volume back to`, async (t) => {
    const service = await volumeService(t, breaking(fail));
    const placed = await service.placed();

    t.is((await service.work(placed)).ended, 'failed');

    const volume = await service.volume(placed.id);
    t.is(volume?.status, 'error');
    t.is(volume?.host, `${BACKEND}#pool`);
    t.is(volume?.statusReason, `The operators find the cause in the log under ${CONTEXT.requestId}.`);
    t.is(await service.row(placed.id), undefined);
    t.deepEqual(await service.messages(placed.id), [
      `008 012 create volume from backend storage: Driver failed to create the volume. ${volume?.statusReason ?? ''}`,
    ]);
    t.is((await service.events(placed.id)).at(-1), 'volume.create.error');
    t.deepEqual(await service.files(), broken.made ? [`volume-${placed.id}`] : []);
    t.is(service.backend.allocations.inPool('pool'), 1, 'it counts until it is deleted');
    t.deepEqual(service.sent, []);
  });

  test(`an owner who is fenced ${where} touches nothing`, async (t) => {
    let id = '';
    let before: unknown;
    const steal = async (): Promise<void> => {
      await service.store.apply([stealRow(id)]);
      before = await service.everything(id);
    };
    const service: VolumeService = await volumeService(t, breaking(steal));
    const placed = await service.placed({}, { retry: RETRY });
    id = placed.id;

    t.is((await service.work(placed)).ended, 'fenced');

    t.deepEqual(await service.everything(id), before);
    t.deepEqual(service.sent, []);
    const ofMyEpoch = (await service.files()).filter((name) => name.startsWith('.'));
    t.deepEqual(ofMyEpoch, []);
  });

  test(`a shutdown ${where} leaves the work to the next owner`, async (t) => {
    const service: VolumeService = await volumeService(
      t,
      breaking(() => service.cutOff()),
    );
    const placed = await service.placed({}, { retry: RETRY });

    t.is((await service.work(placed)).ended, 'stuck');

    t.is((await service.volume(placed.id))?.status, 'creating');
    t.is((await service.volume(placed.id))?.host, `${BACKEND}#pool`);
    t.like(await service.row(placed.id), { state: 'claimed', epoch: 2 });
    t.deepEqual(service.sent, []);
  });
}

test('a record that is gone before the work begins is not brought back', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed({}, { retry: RETRY });
  await service.store.apply([destroyRecord(placed.id)]);

  const { ended, error } = await service.work(placed);

  t.is(ended, 'failed');
  t.true(Fault.is(error, 'VolumeNotFound'));
  t.is(await service.volume(placed.id), undefined);
  t.is(await service.row(placed.id), undefined);
  t.deepEqual(await service.files(), []);
  t.is(service.backend.allocations.inPool('pool'), 0);
});

test('a fault that no other backend can mend is not rescheduled', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed({ snapshotId: '33333333-3333-4333-8333-333333333333' }, { retry: RETRY });

  const { ended } = await service.work(placed);

  t.is(ended, 'failed');
  const volume = await service.volume(placed.id);
  t.is(volume?.status, 'error');
  t.is(volume?.statusReason, 'Creating a volume from a snapshot is not built yet in this version.');
});

test('a pool without room sends the volume to another backend', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed({ sizeGib: 5_000 }, { retry: RETRY });

  t.is((await service.work(placed)).ended, 'given_back');

  t.is((await service.volume(placed.id))?.host, null);
  t.is(service.sent.length, 1);
});

test('a backend that is down sends the volume to another one', async (t) => {
  const service = await volumeService(t);
  const placed = await service.placed({}, { retry: RETRY });
  await service.backend.stop();

  t.is((await service.work(placed)).ended, 'given_back');

  t.is((await service.volume(placed.id))?.host, null);
});

test('an error says nothing of hosts and pools to the user', async (t) => {
  const secret = new Error('ECONNREFUSED 10.0.0.7 alpha@file#pool');
  const service = await volumeService(t, {
    driver: hookedDriver({
      before: () => {
        throw secret;
      },
    }),
  });
  const placed = await service.placed();

  await service.work(placed);

  const shown = JSON.stringify([(await service.volume(placed.id))?.statusReason, await service.messages(placed.id)]);
  t.false(/10\.0\.0\.7|alpha|pool/.test(shown), shown);
  t.regex(shown, /req-11111111/);
});

test('a database that is away for a moment loses nothing', async (t) => {
  let failures = 0;
  const service = await volumeService(t, {
    store: hookedStore((call, nth) => {
      if (nth > 2 || failures === 4) return;
      failures += 1;
      throw new Fault('DatabaseUnavailable', { reason: `${call} ${nth}` });
    }),
  });
  const placed = await service.placed();

  t.is((await service.work(placed)).ended, 'done');

  t.is(failures, 4);
  t.is((await service.volume(placed.id))?.status, 'available');
});

test('an end whose commit is unknown is found out, not undone', async (t) => {
  let applied = 0;
  const service = await volumeService(t, {
    store: (store) => ({
      ...hookedStore(() => undefined)(store),
      apply: async (unit) => {
        const done = await store.apply(unit);
        applied += 1;
        if (applied === 2) throw new CommitUnknown('the connection broke');
        return done;
      },
    }),
  });
  const placed = await service.placed({}, { retry: RETRY });

  t.is((await service.work(placed)).ended, 'fenced');

  t.is((await service.volume(placed.id))?.status, 'available');
  t.deepEqual(await service.files(), [`volume-${placed.id}`]);
  t.deepEqual(service.sent, []);
});

test('the next process finds a volume that was made, and only records its end', async (t) => {
  const { service, id } = await crashed(t, 'after');
  const next = await successor(t, service);

  const { ended, claim } = await next.takeOver();

  t.is(ended, 'done');
  t.true(claim.resumed);
  t.is(claim.epoch, 3);
  t.is((await next.volume(id))?.status, 'available');
  t.deepEqual(await next.files(), [`volume-${id}`]);
  t.is(next.backend.allocations.inPool('pool'), 1);
});

test('the next process makes a volume that was not made yet, and removes what was half-made', async (t) => {
  const { service, id } = await crashed(t, 'before');
  const halfMade = join(service.folder, 'pool', `.volume-${id}.2`);
  await writeFile(halfMade, 'half');
  const next = await successor(t, service);
  t.true(existsSync(halfMade), 'a claimed row names it: it is left to whoever goes on');

  await next.takeOver();

  t.is((await next.volume(id))?.status, 'available');
  t.deepEqual(await next.files(), [`volume-${id}`]);
});

for (const file of ['half-made', 'complete', 'none'] as const) {
  test(`what a power loss took out of the records is done again: the file of the work that was lost is ${file}`, async (t) => {
    const service = await volumeService(t);
    const placed = await service.placed();
    const pool = join(service.folder, 'pool');
    // the claim that the records have lost had the number that the next one gets
    if (file === 'half-made') await writeFile(join(pool, `.volume-${placed.id}.${placed.epoch + 1}`), 'half');
    if (file === 'complete') {
      await writeFile(join(pool, `volume-${placed.id}`), '');
      await truncate(join(pool, `volume-${placed.id}`), GIB);
    }
    const next = await successor(t, service);

    t.is((await next.work(placed)).ended, 'done');

    t.is((await next.volume(placed.id))?.status, 'available');
    t.deepEqual(await next.files(), [`volume-${placed.id}`]);
    t.is((await stat(join(pool, `volume-${placed.id}`))).size, GIB);
    t.is(next.backend.allocations.inPool('pool'), 1);
  });
}

test('a volume whose processes all died while it was made is given up, and its owner is told how often', async (t) => {
  const { service, id } = await crashed(t, 'after');
  await service.store.apply([beginsOfRow(id, MAX_CLAIMS)]);
  const next = await successor(t, service);

  await next.takeOver();

  const volume = await next.volume(id);
  t.is(volume?.status, 'error');
  const cause = `The operators find the cause in the log under ${CONTEXT.requestId}.`;
  t.is(volume?.statusReason, `It was begun ${MAX_CLAIMS} times and never ended. ${cause}`);
  t.is(await next.row(id), undefined);
  t.is((await next.messages(id)).length, 1);
  t.deepEqual(await next.files(), [`volume-${id}`], 'it keeps what was made until it is deleted');
});

test('a zombie whose volume went to another backend touches no record, and what it makes is a stray', async (t) => {
  let id = '';
  let before: unknown;
  const service: VolumeService = await volumeService(t, {
    driver: hookedDriver({
      before: async () => {
        const elsewhere = { id, host: 'beta@file#pool', clusterName: null, availabilityZone: 'nova' };
        await service.store.apply([stealRow(id), placeVolume(elsewhere)]);
        before = await service.everything(id);
      },
    }),
  });
  const placed = await service.placed({}, { retry: RETRY });
  id = placed.id;

  t.is((await service.work(placed)).ended, 'fenced');

  t.deepEqual(await service.everything(id), before);
  t.deepEqual(service.sent, []);
  t.is(service.backend.allocations.inPool('pool'), 0);
  const next = await successor(t, service);
  t.deepEqual(
    next.findings?.strays.map(({ volume }) => volume.id),
    [id],
  );
  t.deepEqual(await next.files(), [`volume-${id}`]);
});

test('no more volumes are made at once than the backend allows', async (t) => {
  const gate = new Gate();
  const service = await volumeService(t, { concurrency: 3, driver: hookedDriver({ before: () => gate.enter() }) });
  const placed = await Promise.all(Array.from({ length: 8 }, () => service.placed()));

  await service.deliver(placed);
  await gate.inside(3);
  t.is(gate.most, 3);
  gate.open();
  const endings = await Promise.all(placed.map(() => service.next()));

  t.true(endings.every(({ ended }) => ended === 'done'));
  t.is(gate.most, 3);
});

test('a deletion that overtakes a creation waits for it, and leaves neither record nor file', async (t) => {
  const gate = new Gate();
  const service = await volumeService(t, { driver: hookedDriver({ after: () => gate.enter() }) });
  const placed = await service.placed();
  await service.deliver([placed]);
  await gate.inside(1);

  const deletion = await service.forceDeletion(placed);
  await service.deliver([deletion]);
  gate.open();
  const endings = [await service.next(), await service.next()];

  t.deepEqual(
    endings.map(({ claim, ended }) => [claim.method, ended]),
    [
      ['CreateVolume', 'fenced'],
      ['DeleteVolume', 'done'],
    ],
  );
  t.is(await service.volume(placed.id), undefined);
  t.is(await service.row(placed.id), undefined);
  t.deepEqual(await service.files(), []);
  t.is(service.backend.allocations.inPool('pool'), 0);
});

/** A service that was cut off in the middle of a creation. */
async function crashed(
  t: ExecutionContext,
  where: 'before' | 'after',
): Promise<{ service: VolumeService; id: string }> {
  const service: VolumeService = await volumeService(t, { driver: hookedDriver({ [where]: () => service.cutOff() }) });
  const { id, ...cast } = await service.placed();
  t.is((await service.work({ id, ...cast })).ended, 'stuck');
  return { service, id };
}
