import { sql } from 'kysely';
import type { Volume } from '../objects/volume.js';
import { listIn, pairsIn, toPairs } from './json.js';
import { statement, type Tools } from './statement.js';
import type { Done, Step, Store } from './store.js';
import { metadataColumn, VOLUME_COLUMNS, volumeOf, type VolumeRow } from './volume-rows.js';

/** What is known of a volume before it is recorded. */
export type NewVolume = Pick<
  Volume,
  | 'id'
  | 'projectId'
  | 'userId'
  | 'name'
  | 'description'
  | 'sizeGib'
  | 'status'
  | 'availabilityZone'
  | 'volumeTypeId'
  | 'snapshotId'
  | 'sourceVolumeId'
  | 'groupId'
  | 'encryptionKeyId'
  | 'bootable'
  | 'multiattach'
  | 'useQuota'
  | 'metadata'
>;

/** Records a volume and its metadata. The record's own step comes first; see `insertedVolume`. */
export function insertVolume(volume: NewVolume): readonly [Step, ...Step[]] {
  const record: Step = {
    statement: insertRecord.with({
      id: volume.id,
      projectId: volume.projectId,
      userId: volume.userId,
      name: volume.name,
      description: volume.description,
      sizeGib: volume.sizeGib,
      status: volume.status,
      availabilityZone: volume.availabilityZone,
      volumeTypeId: volume.volumeTypeId,
      snapshotId: volume.snapshotId,
      sourceVolumeId: volume.sourceVolumeId,
      groupId: volume.groupId,
      encryptionKeyId: volume.encryptionKeyId,
      bootable: Number(volume.bootable),
      multiattach: Number(volume.multiattach),
      useQuota: Number(volume.useQuota),
    }),
    rows: 1,
  };
  if (volume.metadata.size === 0) return [record];
  const metadata = insertMetadata.with({ volumeId: volume.id, pairs: toPairs(volume.metadata) });
  return [record, { statement: metadata, rows: volume.metadata.size }];
}

/** The volume that the first step of `insertVolume` recorded, made of what that step did; nothing is read. */
export function insertedVolume(volume: NewVolume, done: Done): Volume {
  const [row] = done.returned as readonly Pick<VolumeRow, 'created_at' | 'updated_at'>[];
  if (!row) throw new TypeError('not the step that records a volume');
  return unplacedVolume(volume, row.created_at, row.updated_at); // PostgreSQL looks at its clock twice
}

/** A volume as it is when its record has just been made. `createdAt` in ms; 0 while the database has not said it. */
export function unplacedVolume(volume: NewVolume, createdAt: number, updatedAt = createdAt): Volume {
  // property by property: an object that is made of two takes V8 ten times as long
  return {
    id: volume.id,
    projectId: volume.projectId,
    userId: volume.userId,
    name: volume.name,
    description: volume.description,
    sizeGib: volume.sizeGib,
    status: volume.status,
    statusReason: null,
    previousStatus: null,
    attachStatus: UNPLACED.attachStatus,
    migrationStatus: null,
    host: null,
    clusterName: null,
    availabilityZone: volume.availabilityZone,
    volumeTypeId: volume.volumeTypeId,
    snapshotId: volume.snapshotId,
    sourceVolumeId: volume.sourceVolumeId,
    groupId: volume.groupId,
    encryptionKeyId: volume.encryptionKeyId,
    bootable: volume.bootable,
    multiattach: volume.multiattach,
    useQuota: volume.useQuota,
    replicationStatus: null,
    nameId: null,
    providerId: null,
    providerLocation: null,
    providerAuth: null,
    serviceId: null,
    sharedTargets: UNPLACED.sharedTargets,
    metadata: volume.metadata,
    revision: UNPLACED.revision,
    scheduledAt: null,
    launchedAt: null,
    terminatedAt: null,
    createdAt,
    updatedAt,
    deletedAt: null,
  };
}

/** The live volume, if the project has it. */
export async function findVolume(
  store: Store,
  { id, projectId }: { readonly id: string; readonly projectId?: string },
): Promise<Volume | undefined> {
  const [row] = await store.read(findById.with({ id }));
  return row && (projectId === undefined || row.project_id === projectId) ? volumeOf(row) : undefined;
}

/** Reads the live volume as the statements before it in the same unit left it; see `readVolume`. */
export function rereadVolume(id: string): Step {
  return { statement: findById.with({ id }), rows: 1 };
}

/** The volume that a step of `rereadVolume` read. */
export function readVolume(done: Done | undefined): Volume {
  const [row] = (done?.returned ?? []) as readonly VolumeRow[];
  if (!row) throw new TypeError('not the step that reads a volume');
  return volumeOf(row);
}

/** The live ones among these volumes, in no order. */
export async function findVolumes(store: Store, ids: readonly string[]): Promise<readonly Volume[]> {
  return (await store.read(findByIds.with({ ids: JSON.stringify(ids) }))).map(volumeOf);
}

/** What a volume has from the start; the rest of what nobody has said yet is null. */
const UNPLACED = { attachStatus: 'detached', sharedTargets: true, revision: 1 } as const satisfies Partial<Volume>;

interface RecordParams {
  id: string;
  projectId: string;
  userId: string;
  name: string | null;
  description: string | null;
  sizeGib: number;
  status: string;
  availabilityZone: string | null;
  volumeTypeId: string;
  snapshotId: string | null;
  sourceVolumeId: string | null;
  groupId: string | null;
  encryptionKeyId: string | null;
  bootable: number;
  multiattach: number;
  useQuota: number;
}

const insertRecord = statement<RecordParams>({ isSingle: true })(({ db, now }, p) =>
  db
    .insertInto('volumes')
    .values({
      id: p.id,
      project_id: p.projectId,
      user_id: p.userId,
      use_quota: p.useQuota,
      name: p.name,
      description: p.description,
      size: p.sizeGib,
      status: p.status,
      attach_status: UNPLACED.attachStatus,
      availability_zone: p.availabilityZone,
      volume_type_id: p.volumeTypeId,
      snapshot_id: p.snapshotId,
      source_volume_id: p.sourceVolumeId,
      group_id: p.groupId,
      encryption_key_id: p.encryptionKeyId,
      bootable: p.bootable,
      multiattach: p.multiattach,
      shared_targets: Number(UNPLACED.sharedTargets),
      revision: UNPLACED.revision,
      created_at: now,
      updated_at: now,
    })
    .returning(['created_at', 'updated_at']),
);

const insertMetadata = statement<{ volumeId: string; pairs: string }>()(({ db, dialect }, p) =>
  db
    .insertInto('volume_metadata')
    .columns(['volume_id', 'key', 'value'])
    .expression(
      db
        .selectFrom(pairsIn(dialect, p.pairs).as('pair'))
        .select([sql<string>`cast(${p.volumeId} as text)`.as('volume_id'), 'pair.key', 'pair.value']),
    ),
);

/** Live volumes with everything that `volumeOf` needs. */
const liveVolumes = ({ db, dialect }: Tools) =>
  db
    .selectFrom('volumes')
    .select(VOLUME_COLUMNS)
    .select(metadataColumn(dialect).as('metadata'))
    .where('deleted_at', 'is', null);

const findById = statement<{ id: string }>({ isSingle: true })((tools, p) => liveVolumes(tools).where('id', '=', p.id));

const findByIds = statement<{ ids: string }>()((tools, p) =>
  liveVolumes(tools).where('id', 'in', listIn(tools.dialect, p.ids)),
);
