import type { ProjectRecords } from '../db/quota-sums.js';
import type { SnapshotOptions } from './deltas/snapshot.js';
import { type PerType, typeKey } from './resources.js';

/**
 * What a project uses, by resource key, as its records have it: live records that count, less the charges that are not
 * decided. Never negative; what is not in use is not named. Rebuilds and checks share it.
 * Rule: cinder/quota.py, the sync functions; docs/protocols.md §Q, TRUTH.
 */
export function sumsOf(records: ProjectRecords, { countSnapshotGib }: SnapshotOptions): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  const add = (resource: string, amount: number) => sums.set(resource, (sums.get(resource) ?? 0) + amount);
  const addOf = (resource: PerType, volumeTypeId: string | null, amount: number) => {
    add(resource, amount);
    if (volumeTypeId !== null) add(typeKey(resource, volumeTypeId), amount);
  };
  for (const { volumeTypeId, count, gib } of records.volumes) {
    addOf('volumes', volumeTypeId, count);
    addOf('gigabytes', volumeTypeId, gib);
  }
  for (const { volumeTypeId, count, gib } of records.snapshots) {
    addOf('snapshots', volumeTypeId, count);
    if (countSnapshotGib) addOf('gigabytes', volumeTypeId, gib);
  }
  add('backups', records.backups.count);
  add('backup_gigabytes', records.backups.gib);
  add('groups', records.groups);
  for (const { kind, state, deltas } of records.settlements) {
    if (kind !== 'charge' || (state !== 'void' && state !== 'open')) continue;
    for (const [resource, delta] of Object.entries(deltas)) add(resource, -delta);
  }
  return new Map([...sums].filter(([, amount]) => amount > 0));
}
