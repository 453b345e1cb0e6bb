import { randomUUID } from 'node:crypto';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import { insertVolume } from '#src/db/volumes.js';

/** What a record that quota counts is told apart by; the rest is the same in all of them. */
export interface NewRecord {
  readonly projectId: string;
  readonly id?: string;
  /** GiB. @default 1 */
  readonly sizeGib?: number;
  /** @default true */
  readonly useQuota?: boolean;
  /** Cinder's word. @default available */
  readonly status?: string;
}

/** Records a volume without any quota. Answers its id. */
export async function recordVolume(store: Store, record: NewRecord & { readonly volumeTypeId?: string }) {
  const { projectId, id = randomUUID(), sizeGib = 1, useQuota = true, volumeTypeId = DEFAULT_VOLUME_TYPE_ID } = record;
  await store.apply(
    insertVolume({
      ...{ id, projectId, userId: 'user', sizeGib, status: 'creating', volumeTypeId, useQuota },
      ...{ name: null, description: null, availabilityZone: 'nova', snapshotId: null, sourceVolumeId: null },
      ...{ groupId: null, encryptionKeyId: null, bootable: false, multiattach: false, metadata: new Map() },
    }),
  );
  return id;
}

/** Records a snapshot without any quota. Answers its id. */
export async function recordSnapshot(store: Store, record: NewRecord & { readonly volumeId: string }) {
  const { projectId, volumeId, id = randomUUID(), sizeGib = 1, useQuota = true, status = 'available' } = record;
  await store.apply([
    {
      statement: insertSnapshot.with({
        ...{ id, projectId, volumeId, sizeGib, status },
        useQuota: useQuota ? 1 : 0,
      }),
    },
  ]);
  return id;
}

/** Records a backup without any quota. Answers its id. */
export async function recordBackup(store: Store, record: NewRecord) {
  const { projectId, id = randomUUID(), sizeGib = 1, status = 'available' } = record;
  await store.apply([{ statement: insertBackup.with({ id, projectId, sizeGib, status }) }]);
  return id;
}

/** Records a group without any quota. Answers its id. */
export async function recordGroup(store: Store, { projectId, id = randomUUID(), status = 'available' }: NewRecord) {
  await store.apply([{ statement: insertGroup.with({ id, projectId, status }) }]);
  return id;
}

export type RecordTable = 'volumes' | 'snapshots' | 'backups' | 'groups';

/** Deletes a record without any quota, as a purge would find it. */
export async function removeRecord(store: Store, table: RecordTable, id: string): Promise<void> {
  await store.apply([{ statement: removals[table].with({ id }), rows: 1 }]);
}

interface Columns {
  readonly id: string;
  readonly projectId: string;
  readonly sizeGib: number;
  readonly status: string;
}

const insertSnapshot = statement<Columns & { volumeId: string; useQuota: number }>()(({ db, now }, p) =>
  db.insertInto('snapshots').values({
    ...{ id: p.id, project_id: p.projectId, user_id: 'user', use_quota: p.useQuota, volume_id: p.volumeId },
    ...{ volume_size: p.sizeGib, volume_type_id: null, status: p.status, name: null, description: null },
    ...{ group_snapshot_id: null, encryption_key_id: null, created_at: now, updated_at: now, deleted_at: null },
  }),
);

const insertBackup = statement<Columns>()(({ db, now }, p) =>
  db.insertInto('backups').values({
    ...{ id: p.id, project_id: p.projectId, user_id: 'user', volume_id: 'v', size: p.sizeGib, status: p.status },
    ...{ host: null, availability_zone: null, name: null, description: null, parent_id: null, snapshot_id: null },
    ...{ created_at: now, updated_at: now, deleted_at: null },
  }),
);

const insertGroup = statement<Omit<Columns, 'sizeGib'>>()(({ db, now }, p) =>
  db.insertInto('groups').values({
    ...{ id: p.id, project_id: p.projectId, user_id: 'user', status: p.status, name: null, description: null },
    ...{ host: null, cluster_name: null, availability_zone: null, group_type_id: 'g' },
    ...{ created_at: now, updated_at: now, deleted_at: null },
  }),
);

const remove = (table: RecordTable) =>
  statement<{ id: string }>()(({ db, now }, p) =>
    db.updateTable(table).set({ deleted_at: now }).where('id', '=', p.id).where('deleted_at', 'is', null),
  );

const removals = {
  volumes: remove('volumes'),
  snapshots: remove('snapshots'),
  backups: remove('backups'),
  groups: remove('groups'),
};
