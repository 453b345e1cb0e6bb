import { randomUUID } from 'node:crypto';
import { insertCharge, markVoid } from '#src/db/quota-settlements.js';
import { disownAndCount } from '#src/db/quota-sums.js';
import { DEFAULT_VOLUME_TYPE_ID as TYPE } from '#src/db/volume-types.js';
import type { Store } from '#src/db/store.js';
import { sumsOf } from '#src/quota/sums.js';
import { newProject } from '../support/redis.js';
import { backup, group, record, removed, snapshot, volume } from '../support/quota-records.js';
import { storesFor } from '../support/sql.js';

const OTHER_TYPE = randomUUID();

async function sums(store: Store, projectId: string, countSnapshotGib = true) {
  return Object.fromEntries(sumsOf(await disownAndCount(store, projectId), { countSnapshotGib }));
}

storesFor('a project uses what its live records are, by type where there is one', async (t, store) => {
  const projectId = newProject();
  const volumeId = await record(store, volume({ projectId, sizeGib: 10 }));
  await record(store, volume({ projectId, sizeGib: 3, volumeTypeId: OTHER_TYPE }));
  await record(store, snapshot({ projectId, volumeId, sizeGib: 8 }));
  await record(store, snapshot({ projectId, volumeId, sizeGib: 10 }));
  await record(store, backup({ projectId, sizeGib: 7 }));
  await record(store, backup({ projectId, sizeGib: 0 }));
  await record(store, group({ projectId }));
  t.deepEqual(await sums(store, projectId), {
    ...{ volumes: 2, gigabytes: 31, snapshots: 2, backups: 2, backup_gigabytes: 7, groups: 1 },
    ...{ [`volumes_${TYPE}`]: 1, [`gigabytes_${TYPE}`]: 28, [`snapshots_${TYPE}`]: 2 },
    ...{ [`volumes_${OTHER_TYPE}`]: 1, [`gigabytes_${OTHER_TYPE}`]: 3 },
  });
  t.deepEqual(await sums(store, newProject()), {}, 'another project uses nothing of it');
});

storesFor('snapshots are left out of gigabytes where the installation says so', async (t, store) => {
  const projectId = newProject();
  const volumeId = await record(store, volume({ projectId, sizeGib: 2 }));
  await record(store, snapshot({ projectId, volumeId, sizeGib: 2 }));
  t.deepEqual(await sums(store, projectId, false), {
    ...{ volumes: 1, gigabytes: 2, snapshots: 1 },
    ...{ [`volumes_${TYPE}`]: 1, [`gigabytes_${TYPE}`]: 2, [`snapshots_${TYPE}`]: 1 },
  });
});

storesFor('temporary and deleted records never count; a status never matters', async (t, store) => {
  const projectId = newProject();
  const volumeId = await record(store, volume({ projectId, useQuota: false, sizeGib: 5 }));
  await record(store, snapshot({ projectId, volumeId, useQuota: false }));
  await record(store, snapshot({ projectId, volumeId, status: 'error', sizeGib: 5 }));
  const gone = {
    backups: await record(store, backup({ projectId })),
    groups: await record(store, group({ projectId })),
  };
  await record(store, group({ projectId, status: 'deleting' }));
  await store.apply([removed('backups', gone.backups), removed('groups', gone.groups)]);
  t.deepEqual(await sums(store, projectId), {
    ...{ snapshots: 1, gigabytes: 5, groups: 1 },
    ...{ [`snapshots_${TYPE}`]: 1, [`gigabytes_${TYPE}`]: 5 },
  });
});

storesFor('a snapshot counts in its own project, of the type its volume has', async (t, store) => {
  const [owner, other] = [newProject(), newProject()];
  const volumeId = await record(store, volume({ projectId: owner, volumeTypeId: OTHER_TYPE }));
  await record(store, snapshot({ projectId: other, volumeId }));
  await record(store, snapshot({ projectId: other, volumeId: randomUUID() }));
  t.deepEqual(await sums(store, other), {
    ...{ snapshots: 2, gigabytes: 2, [`snapshots_${OTHER_TYPE}`]: 1, [`gigabytes_${OTHER_TYPE}`]: 1 },
  });
});

storesFor('what a charge is not decided for is not in use, down to nothing', async (t, store) => {
  const projectId = newProject();
  await record(store, volume({ projectId, sizeGib: 4 }));
  const charge = (deltas: Record<string, number>) => ({
    ...{ id: randomUUID(), projectId, deltas, resourceType: 'Volume', resourceId: randomUUID() },
  });
  const disowned = charge({ gigabytes: 3, groups: 1 });
  await store.apply([insertCharge(disowned), insertCharge(charge({ volumes: 1 })), markVoid(disowned.id)]);
  t.deepEqual(await sums(store, projectId), { gigabytes: 1, [`volumes_${TYPE}`]: 1, [`gigabytes_${TYPE}`]: 4 });
});
