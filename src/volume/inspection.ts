import type { CompleteVolume, HalfMade, StoredVolume, VolumePlace } from '../drivers/driver.js';
import { GIB } from '../drivers/driver.js';
import type { BackendRecord } from '../db/backend-records.js';
import { backendOf, poolOf } from '../objects/backend-name.js';
import { MAY_BE_ABSENT, type VolumeStatus } from '../objects/volume-status.js';

/** A volume on the storage that does not agree with the records: its data may be somebody's. */
export interface Stray {
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
  readonly strays: readonly Stray[];
  readonly missing: readonly Missing[];
  /** What the records say the backend holds. */
  readonly allocated: readonly VolumePlace[];
}

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

  const strays: Stray[] = [];
  const missing: Missing[] = [];
  const allocated: VolumePlace[] = [];
  for await (const page of pages) {
    for (const record of page) {
      const { id, nameId, sizeGib, status } = record;
      const pool = poolOf(record.host) ?? '';
      allocated.push({ id, pool, sizeGib });
      const key = keyOf(pool, nameId);
      const volume = unexplained.get(key);
      unexplained.delete(key);
      const difference = differenceOf(record, volume?.sizeBytes);
      if (difference === 'absent') missing.push({ id, pool, status });
      if (difference === 'other size' && volume) strays.push({ volume, why: otherSize(record) });
    }
  }
  for (const volume of unexplained.values()) strays.push({ volume, why: NO_RECORD });
  return { abandoned, strays, missing, allocated };
}

/** How a record and what is stored of it differ; `sizeBytes`: undefined: nothing is. */
export function differenceOf(
  { status, sizeGib }: BackendRecord,
  sizeBytes: number | undefined,
): 'absent' | 'other size' | undefined {
  if (sizeBytes === undefined) return MAY_BE_ABSENT.includes(status) ? undefined : 'absent';
  return sizeBytes === sizeGib * GIB ? undefined : 'other size';
}

/** In words. */
export function otherSize({ sizeGib, host }: BackendRecord): string {
  return `its record says ${sizeGib} GiB on ${backendOf(host)}`;
}

/** In words. */
export const NO_RECORD = 'no record places it in this pool';

/** Names a volume of a backend. */
export function keyOf(pool: string, id: string): string {
  return `${pool}/${id}`;
}
