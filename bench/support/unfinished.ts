import { createVolumeOnScheduler, createVolumeOnVolume } from '#src/casts/cast-messages.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { placeVolume } from '#src/db/volume-transitions.js';
import { insertedVolume, insertVolume } from '#src/db/volumes.js';
import { claimWorker } from '#src/db/worker-claims.js';
import { insertStagedWorker, readyStagedWorker } from '#src/db/workers.js';
import { newVolume } from '../../test/support/volumes.js';

/** Where the rows of work are, as a crash leaves them. */
const PLACES = ['claimed by a volume service', 'sent to a volume service', 'claimed by a scheduler'] as const;

const CONTEXT = { requestId: 'req-bench', projectId: 'bench', userId: 'bench', roles: ['member'], traceparent: '' };
/** Name of the volumes. */
export const LEFT = 'left';
/** Records written at once. */
const BATCH = 250;

export interface Unfinished {
  readonly backend: string;
  readonly pool: string;
  readonly volumeTypeId: string;
  readonly count: number;
}

/** Records creations that a process was about when it died an hour ago; a third each of the three places. */
export async function leaveUnfinished(store: Store, { count, ...where }: Unfinished): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    await Promise.all(
      Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => leaveOne(store, where, from + index)),
    );
  }
  await store.apply([{ statement: makeOlder.with({ ms: 3_600_000 }) }]);
}

async function leaveOne(store: Store, where: Omit<Unfinished, 'count'>, index: number): Promise<void> {
  const place = PLACES[index % PLACES.length];
  const record = newVolume({
    name: LEFT,
    projectId: CONTEXT.projectId,
    userId: CONTEXT.userId,
    volumeTypeId: where.volumeTypeId,
  });
  const [inserted] = await store.apply(insertVolume(record));
  if (!inserted) throw new Error('the volume was not recorded');
  const volume = { ...insertedVolume(record, inserted), host: `${where.backend}#${where.pool}` };
  const filterProperties = { schedulerHints: new Map<string, string>() };
  const isScheduling = place === 'claimed by a scheduler';
  const message = isScheduling
    ? createVolumeOnScheduler({ volume: { ...volume, host: null }, filterProperties })
    : createVolumeOnVolume({ volume, filterProperties, allowReschedule: true });
  const key = { resourceType: 'Volume', resourceId: record.id } as const;
  const target = isScheduling ? null : where.backend;
  await store.apply([
    ...(isScheduling
      ? []
      : [placeVolume({ id: record.id, host: volume.host, clusterName: null, availabilityZone: 'nova' })]),
    insertStagedWorker({ ...key, status: 'creating', target, message, context: CONTEXT }, 'a dead run'),
    readyStagedWorker({ ...key, epoch: 1 }),
    ...(place === 'sent to a volume service'
      ? []
      : [claimWorker({ ...key, epoch: 1, owner: 'a dead run', binary: message.binary, target, serviceId: null })]),
  ]);
}

const makeOlder = statement<{ ms: number }>()(({ db }, p) =>
  db.updateTable('workers').set((eb) => ({
    created_at: eb('created_at', '-', p.ms),
    updated_at: eb('updated_at', '-', p.ms),
    send_until: 0,
  })),
);
