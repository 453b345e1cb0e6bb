import { type RawBuilder, sql } from 'kysely';
import type { Volume } from '../objects/volume.js';

/** What volumes can be sorted by. Rule: cinder/db/sqlalchemy/api.py, `process_sort_params`. */
export const SORT_KEYS = [
  ...(['created_at', 'id', 'name', 'size', 'status', 'host', 'availability_zone', 'bootable', 'updated_at'] as const),
] as const;

export type SortKey = (typeof SORT_KEYS)[number];

/** An order of volumes; those that are alike follow one another by creation and id, in the same direction. */
export interface VolumeOrder {
  readonly key: SortKey;
  readonly direction: 'asc' | 'desc';
}

/** Where a page of a list goes on: after the volume with these. Times in ms. */
export interface VolumeCursor {
  /** Of the sort key; null: it has none. */
  readonly value: string | number | null;
  readonly createdAt: number;
  readonly id: string;
}

/** The place of a volume in an order. */
export function cursorOf(volume: Volume, { key }: VolumeOrder): VolumeCursor {
  return { value: VALUES[key](volume), createdAt: volume.createdAt, id: volume.id };
}

/**
 * A stretch of the order in which every volume has a value of the key, or none has: volumes without one come first in
 * ascending order. Comparisons with null are neither true nor false, so that one condition cannot serve both.
 */
export type Stretch = 'values' | 'nulls';

/** The stretches from a cursor on, in their order. */
export function stretches({ key, direction }: VolumeOrder, after: VolumeCursor | undefined): readonly Stretch[] {
  if (!NULLABLE.has(key)) return ['values'];
  const all: readonly Stretch[] = direction === 'asc' ? ['nulls', 'values'] : ['values', 'nulls'];
  return after && (after.value === null) !== (all[0] === 'nulls') ? all.slice(1) : all;
}

/** Whether the cursor lies in the stretch; else it lies before it. */
export function isWithin(stretch: Stretch, { key }: VolumeOrder, { value }: VolumeCursor): boolean {
  return !NULLABLE.has(key) || (value === null) === (stretch === 'nulls');
}

/** What narrows a list to one stretch. */
export function inStretch({ key }: VolumeOrder, stretch: Stretch): readonly RawBuilder<boolean>[] {
  if (!NULLABLE.has(key)) return [];
  return [stretch === 'nulls' ? sql<boolean>`${sql.ref(key)} is null` : sql<boolean>`${sql.ref(key)} is not null`];
}

/** What is after a cursor: one comparison of rows, which an index answers in one step. */
export function isAfter(
  order: VolumeOrder,
  stretch: Stretch,
  p: Readonly<Record<string, unknown>>,
): RawBuilder<boolean> {
  const values: Readonly<Record<string, unknown>> = { created_at: p['afterCreatedAt'], id: p['afterId'] };
  const columns = orderColumns(order.key, stretch);
  const cursor = columns.map((column) => sql`${values[column] ?? p['afterValue']}`);
  const than = sql.raw(order.direction === 'asc' ? '>' : '<');
  return sql<boolean>`(${sql.join(columns.map((column) => sql.ref(column)))}) ${than} (${sql.join(cursor)})`;
}

/** The columns that make the order of a stretch total. */
export function orderColumns(key: SortKey, stretch: Stretch): readonly SortKey[] {
  if (key === 'id') return ['id'];
  return key === 'created_at' || stretch === 'nulls' ? ['created_at', 'id'] : [key, 'created_at', 'id'];
}

const NULLABLE: ReadonlySet<SortKey> = new Set(['name', 'host', 'availability_zone']);

const VALUES: Readonly<Record<SortKey, (volume: Volume) => string | number | null>> = {
  created_at: ({ createdAt }) => createdAt,
  id: ({ id }) => id,
  name: ({ name }) => name,
  size: ({ sizeGib }) => sizeGib,
  status: ({ status }) => status,
  host: ({ host }) => host,
  availability_zone: ({ availabilityZone }) => availabilityZone,
  bootable: ({ bootable }) => Number(bootable),
  updated_at: ({ updatedAt }) => updatedAt,
};
