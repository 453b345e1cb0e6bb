/** Cinder's words for a volume's status (`cinder/objects/fields.py`, and the words its code writes beside them). */
export const VOLUME_STATUSES = [
  'creating',
  'available',
  'deleting',
  'error',
  'error_deleting',
  'error_managing',
  'managing',
  'attaching',
  'in-use',
  'detaching',
  'maintenance',
  'restoring-backup',
  'error_restoring',
  'reserved',
  'awaiting-transfer',
  'backing-up',
  'error_backing-up',
  'error_extending',
  'downloading',
  'uploading',
  'retyping',
  'extending',
  'deleted',
  'unmanaging',
  'error_unmanaging',
  'error_managing_deleting',
  'reverting',
] as const;

export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

/** Statuses in which a user may delete a volume (`cinder/volume/api.py`). */
export const DELETABLE: readonly VolumeStatus[] = [
  'available',
  'error',
  'error_restoring',
  'error_extending',
  'error_managing',
];

/** Statuses in which a volume may be copied (`cinder/volume/flows/api/create_volume.py`, SRC_VOL_PROCEED_STATUS). */
export const CLONABLE: readonly VolumeStatus[] = ['available', 'in-use'];

/** Statuses in which a volume need not be on the storage: not yet, or no more. */
export const MAY_BE_ABSENT: readonly VolumeStatus[] = [
  'creating',
  'downloading',
  'managing',
  'error_managing',
  'error',
  'deleting',
  'error_managing_deleting',
  'error_deleting',
];

/**
 * Statuses that an administrator may set by hand: nobody is at work on the volume in them. Cinder takes transient ones too,
 * which leaves a volume that nobody will ever work on (`cinder/api/contrib/admin_actions.py`, VolumeAdminController).
 */
export const SETTLED: readonly VolumeStatus[] = [
  'available',
  'in-use',
  'maintenance',
  'reserved',
  'error',
  'error_deleting',
  'error_managing',
  'error_restoring',
  'error_backing-up',
  'error_extending',
];

/** Statuses of a volume that is being destroyed; the second one is of a volume whose managing had failed. */
const DESTROYED: readonly VolumeStatus[] = ['deleting', 'error_managing_deleting'];

/** One named change of status: the only way a status is written. */
export interface Transition {
  readonly from: readonly VolumeStatus[];
  readonly to: VolumeStatus;
}

/** Every change of status the product makes, by name. */
export const TRANSITIONS = {
  finishCreate: { from: ['creating', 'downloading'], to: 'available' },
  failCreate: { from: ['creating', 'downloading'], to: 'error' },
  beginDelete: { from: DELETABLE.filter((status) => status !== 'error_managing'), to: 'deleting' },
  beginDeleteUnmanaged: { from: ['error_managing'], to: 'error_managing_deleting' },
  beginForceDelete: { from: VOLUME_STATUSES.filter((status) => status !== 'deleted'), to: 'deleting' },
  failDelete: { from: DESTROYED, to: 'error_deleting' },
  resumeDelete: { from: ['error_deleting'], to: 'deleting' },
  finishDelete: { from: DESTROYED, to: 'deleted' },
  undoCreate: { from: ['creating'], to: 'deleted' },
} as const satisfies Record<string, Transition>;

export type TransitionName = keyof typeof TRANSITIONS;
