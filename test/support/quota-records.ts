import { randomUUID } from 'node:crypto';
import { statement } from '#src/db/statement.js';
import type { Step, Store } from '#src/db/store.js';
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

/** A record that is to be made: its id, and the statements for whatever unit it belongs to. */
export interface Recorded {
  readonly id: string;
  readonly steps: readonly Step[];
}

export function volume(record: NewRecord & { readonly volumeTypeId?: string }): Recorded {
  const { projectId, id = randomUUID(), sizeGib = 1, useQuota = true, volumeTypeId = DEFAULT_VOLUME_TYPE_ID } = record;
  const steps = insertVolume({
    ...{ id, projectId, userId: 'user', sizeGib, status: 'creating', volumeTypeId, useQuota },
    ...{ name: null, description: null, availabilityZone: 'nova', snapshotId: null, sourceVolumeId: null },
    ...{ groupId: null, encryptionKeyId: null, bootable: false, multiattach: false, metadata: new Map() },
  });
  return { id, steps };
}

export function snapshot(record: NewRecord & { readonly volumeId: string }): Recorded {
  const { projectId, volumeId, id = randomUUID(), sizeGib = 1, useQuota = true, status = 'available' } = record;
  const row = { id, projectId, volumeId, sizeGib, status, useQuota: useQuota ? 1 : 0 };
  return { id, steps: [{ statement: insertSnapshot.with(row), rows: 1 }] };
}

export function backup({ projectId, id = randomUUID(), sizeGib = 1, status = 'available' }: NewRecord): Recorded {
  return { id, steps: [{ statement: insertBackup.with({ id, projectId, sizeGib, status }), rows: 1 }] };
}

export function group({ projectId, id = randomUUID(), status = 'available' }: NewRecord): Recorded {
  return { id, steps: [{ statement: insertGroup.with({ id, projectId, status }), rows: 1 }] };
}

/** Makes a record without any quota. Answers its id. */
export async function record(store: Store, { id, steps }: Recorded): Promise<string> {
  await store.apply(steps);
  return id;
}

export type RecordTable = 'volumes' | 'snapshots' | 'backups' | 'groups';

/** Deletes a live record, as a purge would find it. */
export function removed(table: RecordTable, id: string): Step {
  return { statement: removals[table].with({ id }), rows: 1 };
}

/** Changes of a volume that quota sees. */
export function resized(id: string, sizeGib: number): Step {
  return { statement: resize.with({ id, sizeGib }), rows: 1 };
}

/** A snapshot that was taken over is as large as its driver says. */
export function resizedSnapshot(id: string, sizeGib: number): Step {
  return { statement: resizeSnapshot.with({ id, sizeGib }), rows: 1 };
}

export function retyped(id: string, volumeTypeId: string): Step {
  return { statement: retype.with({ id, volumeTypeId }), rows: 1 };
}

/** Gives a volume and its snapshots to another project. */
export function transferred(id: string, projectId: string): readonly Step[] {
  return [
    { statement: transferVolume.with({ id, projectId }), rows: 1 },
    { statement: transferSnapshots.with({ id, projectId }) },
  ];
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

const resize = statement<{ id: string; sizeGib: number }>()(({ db }, p) =>
  db.updateTable('volumes').set({ size: p.sizeGib }).where('id', '=', p.id),
);

const resizeSnapshot = statement<{ id: string; sizeGib: number }>()(({ db }, p) =>
  db.updateTable('snapshots').set({ volume_size: p.sizeGib }).where('id', '=', p.id),
);

const retype = statement<{ id: string; volumeTypeId: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ volume_type_id: p.volumeTypeId }).where('id', '=', p.id),
);

const transferVolume = statement<{ id: string; projectId: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ project_id: p.projectId }).where('id', '=', p.id),
);

const transferSnapshots = statement<{ id: string; projectId: string }>()(({ db }, p) =>
  db.updateTable('snapshots').set({ project_id: p.projectId }).where('volume_id', '=', p.id),
);
