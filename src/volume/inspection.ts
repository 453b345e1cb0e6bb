import type { CompleteVolume, HalfMade, StoredVolume, VolumePlace } from '../drivers/driver.js';
import { GIB } from '../drivers/driver.js';
import type { BackendRecord } from '../db/backend-records.js';
import { backendOf, poolOf } from '../objects/backend-name.js';
import type { VolumeStatus } from '../objects/volume-status.js';

/** A volume on the storage that no record explains. It is reported and never touched: its data may be somebody's. */
export interface Quarantined {
  readonly volume: CompleteVolume;
  readonly why: string;
}

/** A record whose volume is not on the storage. Its status stays: an operator decides. */
export interface Missing {
  readonly id: string;
  readonly pool: string;
  readonly status: VolumeStatus;
}

/** How storage and records differ. */
export interface Findings {
  /** Half-made by an owner that is gone for good: to be removed. */
  readonly abandoned: readonly HalfMade[];
  readonly quarantined: readonly Quarantined[];
  readonly missing: readonly Missing[];
  /** What the records say the backend holds. */
  readonly allocated: readonly VolumePlace[];
}

/** Statuses in which a volume need not be on the storage: not yet, or no more. */
const MAY_BE_ABSENT: ReadonlySet<VolumeStatus> = new Set([
  'creating',
  'downloading',
  'error',
  'deleting',
  'error_managing_deleting',
  'error_deleting',
]);

/**
 * Compares what a driver found with the records of its backend. `claims`: resource id → epoch of claimed work; its
 * half-made volumes are left to whoever goes on with it. Rule: docs/protocols.md, "Start of a volume service".
 */
export async function inspect(
  stored: readonly StoredVolume[],
  pages: AsyncIterable<readonly BackendRecord[]>,
  claims: ReadonlyMap<string, number>,
): Promise<Findings> {
  const unexplained = new Map<string, CompleteVolume>();
  for (const volume of stored) if (volume.kind === 'complete') unexplained.set(keyOf(volume.pool, volume.id), volume);
  const abandoned = stored.filter(
    (volume): volume is HalfMade => volume.kind === 'half-made' && claims.get(volume.id) !== volume.epoch,
  );

  const quarantined: Quarantined[] = [];
  const missing: Missing[] = [];
  const allocated: VolumePlace[] = [];
  for await (const page of pages) {
    for (const { id, nameId, host, sizeGib, status } of page) {
      const pool = poolOf(host) ?? '';
      allocated.push({ id, pool, sizeGib });
      const key = keyOf(pool, nameId);
      const volume = unexplained.get(key);
      unexplained.delete(key);
      if (!volume && !MAY_BE_ABSENT.has(status)) missing.push({ id, pool, status });
      if (volume && volume.sizeBytes !== sizeGib * GIB) {
        quarantined.push({ volume, why: `its record says ${sizeGib} GiB on ${backendOf(host)}` });
      }
    }
  }
  for (const volume of unexplained.values()) quarantined.push({ volume, why: 'no record places it in this pool' });
  return { abandoned, quarantined, missing, allocated };
}

function keyOf(pool: string, id: string): string {
  return `${pool}/${id}`;
}
