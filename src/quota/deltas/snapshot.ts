import { type Amounts, sumOf, typeKey } from '../resources.js';

/** A snapshot as quota sees it. */
export interface CountedSnapshot {
  /** Of the volume when it was made, GiB. */
  readonly sizeGib: number;
}

/** How an installation counts snapshots. */
export interface SnapshotOptions {
  /** False: `no_snapshot_gb_quota`; snapshots are counted, their gigabytes are not. */
  readonly countSnapshotGib: boolean;
}

/** What one snapshot uses. Rule: cinder/volume/api.py, `create_snapshot_in_db`. */
export function snapshotAmounts(
  { sizeGib, volumeTypeId }: CountedSnapshot & { readonly volumeTypeId: string },
  { countSnapshotGib }: SnapshotOptions,
): Amounts {
  const gigabytes = { gigabytes: sizeGib, [typeKey('gigabytes', volumeTypeId)]: sizeGib };
  return { snapshots: 1, [typeKey('snapshots', volumeTypeId)]: 1, ...(countSnapshotGib && gigabytes) };
}

/**
 * What the snapshots of a group use, of whatever types, in one reservation.
 * Rule: cinder/volume/api.py, `create_snapshots_in_db`.
 */
export function groupSnapshotAmounts(
  members: readonly (CountedSnapshot & { readonly volumeTypeId: string })[],
  options: SnapshotOptions,
): Amounts {
  return sumOf(members.map((member) => snapshotAmounts(member, options)));
}

/**
 * A snapshot that became ours is larger, or smaller, than it was taken for; undefined: there is nothing to charge.
 * Rule: cinder/volume/flows/manager/manage_existing_snapshot.py, QuotaReserveTask.
 */
export function managedSnapshotAmounts(
  volumeTypeId: string,
  { fromGib, toGib }: { readonly fromGib: number; readonly toGib: number },
  { countSnapshotGib }: SnapshotOptions,
): Amounts | undefined {
  const differenceGib = toGib - fromGib;
  if (!countSnapshotGib || differenceGib === 0) return undefined;
  return { gigabytes: differenceGib, [typeKey('gigabytes', volumeTypeId)]: differenceGib };
}
