import type { UsageRecord, UsageTable } from '../db/usage-records.js';
import { backupAmounts } from './deltas/backup.js';
import { GROUP_AMOUNTS } from './deltas/group.js';
import { snapshotAmounts, type SnapshotOptions } from './deltas/snapshot.js';
import { type Amounts, volumeAmounts } from './resources.js';

/** What one record uses. All records together are what `sumsOf` adds up. */
export function recordAmounts(
  table: UsageTable,
  { sizeGib, volumeTypeId }: Pick<UsageRecord, 'sizeGib' | 'volumeTypeId'>,
  options: SnapshotOptions,
): Amounts {
  switch (table) {
    case 'volumes':
      return volumeAmounts({ sizeGib, volumeTypeId: volumeTypeId ?? '' });
    case 'snapshots':
      // its volume is gone: it is of no type
      if (volumeTypeId === null) return { snapshots: 1, ...(options.countSnapshotGib && { gigabytes: sizeGib }) };
      return snapshotAmounts({ sizeGib, volumeTypeId }, options);
    case 'backups':
      return backupAmounts(sizeGib);
    case 'groups':
      return GROUP_AMOUNTS;
  }
}
