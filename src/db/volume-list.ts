import { type Compilable, type SelectQueryBuilder, sql } from 'kysely';
import type { Volume } from '../objects/volume.js';
import { listIn } from './json.js';
import type { Schema } from './schema.js';
import { Statement, statement, type Tools } from './statement.js';
import type { Store } from './store.js';
import { narrowed, valuesOf } from './volume-candidates.js';
import { type Condition, conditionsOf, type Entry, type Params, type VolumeFilters } from './volume-filters.js';
import {
  cursorOf,
  inStretch,
  isAfter,
  isWithin,
  orderColumns,
  type Stretch,
  stretches,
  type VolumeCursor,
  type VolumeOrder,
} from './volume-order.js';
import { maxEncodedBytes, toVolume, VOLUME_COLUMNS, type VolumeColumns } from './volume-rows.js';

/** A page of a list of live volumes. */
export interface VolumeList {
  /** @default all volumes of all projects */
  readonly filters?: VolumeFilters;
  /** @default the newest first */
  readonly order?: VolumeOrder;
  /** Volumes a page, 1 to 1000. */
  readonly limit: number;
  /** A page ends before the volume that would make it longer, but has one; about as encoded for a caller. @default no bound */
  readonly maxBytes?: number;
  /** @default from the start */
  readonly after?: VolumeCursor | undefined;
}

export interface VolumePage {
  readonly volumes: readonly Volume[];
  /** The volume after which the next page begins; undefined: nothing follows. */
  readonly next: VolumeCursor | undefined;
}

/** The order of a list when nobody asks for another. */
export const NEWEST_FIRST: VolumeOrder = { key: 'created_at', direction: 'desc' };

/** Reads a page in a time that does not grow with the table nor with the pages before. */
export async function listVolumes(store: Store, list: VolumeList): Promise<VolumePage> {
  const { order = NEWEST_FIRST, limit, maxBytes = Infinity } = list;
  const rows = await readRows(store, { ...list, order, limit: limit + 1 });
  const page = rows.slice(0, countWithin(rows, limit, maxBytes));
  const metadata = await metadataOf(store, page);
  const volumes = page.map((row) => toVolume(row, metadata.get(row.id) ?? new Map(), row.provider_auth));
  const last = volumes.at(-1);
  return { volumes, next: last && rows.length > page.length ? cursorOf(last, order) : undefined };
}

/** How many live volumes there are like this. */
export async function countVolumes(store: Store, filters: VolumeFilters): Promise<number> {
  const conditions = conditionsOf((await narrowed(store, filters, undefined)) ?? filters);
  const counted = shaped('count', conditions, (tools, p) =>
    liveVolumes(tools, conditions, p, () => 'both').select(sql<number>`count(*)`.as('count')),
  );
  const [row] = await store.read(counted.with(valuesOf(conditions)));
  return row?.count ?? 0;
}

interface Row extends VolumeColumns {
  /** Encoded size of the metadata. The pairs are read when it is known how many fit: a page of large ones is never in memory. */
  readonly metadata_bytes: number;
}

type Asked = VolumeList & { readonly order: VolumeOrder };

async function readRows(store: Store, { filters = {}, order: asked, after, limit }: Asked): Promise<readonly Row[]> {
  const conditions = conditionsOf((await narrowed(store, filters, asked.key)) ?? filters);
  // those that all have one value of the key are in the order of what breaks ties
  const order = conditions.some(({ shape }) => shape === asked.key) ? { ...asked, key: NEWEST_FIRST.key } : asked;
  const values = valuesOf(conditions);
  const rows: Row[] = [];
  for (const stretch of stretches(order, after)) {
    const begin = after && isWithin(stretch, order, after) ? after : undefined;
    const page = pageOf(conditions, order, stretch, begin !== undefined);
    const cursor = begin && { afterValue: begin.value, afterCreatedAt: begin.createdAt, afterId: begin.id };
    rows.push(...(await store.read(page.with({ ...values, ...cursor, limit: limit - rows.length }))));
    if (rows.length >= limit) break;
  }
  return rows;
}

/** The rows before the one that is too many, or that makes the page too long. */
function countWithin(rows: readonly Row[], limit: number, maxBytes: number): number {
  let bytes = 0;
  const first = rows.findIndex((row, index) => {
    bytes += maxEncodedBytes(row) + row.metadata_bytes;
    return index >= limit || (index > 0 && bytes > maxBytes);
  });
  return first < 0 ? rows.length : first;
}

async function metadataOf(store: Store, rows: readonly Row[]): Promise<ReadonlyMap<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>();
  const ids = rows.filter((row) => row.metadata_bytes > 0).map(({ id }) => id);
  if (ids.length === 0) return found;
  for (const { volume_id, key, value } of await store.read(pairsOf.with({ ids: JSON.stringify(ids) }))) {
    const pairs = found.get(volume_id);
    if (pairs) pairs.set(key, value);
    else found.set(volume_id, new Map([[key, value]]));
  }
  return found;
}

const pairsOf = statement<{ ids: string }>()(({ db, dialect }, p) =>
  db
    .selectFrom('volume_metadata')
    .select(['volume_id', 'key', 'value'])
    .where('volume_id', 'in', listIn(dialect, p.ids))
    .orderBy('volume_id')
    .orderBy('key'),
);

/** A pair costs its texts and, as an entry of a map with two lengths, at most twelve bytes more. */
const metadataBytes = sql<number>`(select coalesce(sum(octet_length(key) + octet_length(value) + 12), 0)
  from volume_metadata where volume_metadata.volume_id = volumes.id)`;

function pageOf(
  conditions: readonly Condition[],
  order: VolumeOrder,
  stretch: Stretch,
  isContinued: boolean,
): Statement<Params, Row> {
  const { key, direction } = order;
  const hasIds = conditions.some(({ shape }) => shape === 'ids');
  const begins = direction === 'asc' ? 'to' : 'from';
  const entry = ({ shape, isOrderedBy }: Condition): Entry => {
    if (hasIds) return shape === 'ids' ? 'both' : 'none';
    if (!isOrderedBy(key)) return 'none';
    return isContinued ? begins : 'both'; // the cursor is the other end
  };
  const what = `${key} ${direction} ${stretch} ${isContinued ? 'after' : 'first'}`;
  return shaped(what, conditions, (tools, p) => {
    const found = inStretch(order, stretch).reduce(
      (query, condition) => query.where(condition),
      liveVolumes(tools, conditions, p, entry),
    );
    const begun = isContinued ? found.where(isAfter(order, stretch, p)) : found;
    // few that were named are sorted as ids: no more than a page is read whole
    const page = hasIds
      ? tools.db
          .selectFrom('volumes')
          .where('id', 'in', inOrder(begun.select('id'), order, stretch).limit(p['limit'] as number))
      : begun;
    return inOrder(
      page
        .select(VOLUME_COLUMNS)
        .select(metadataBytes.as('metadata_bytes'))
        .limit(p['limit'] as number),
      order,
      stretch,
    );
  });
}

function inOrder<O>(
  query: SelectQueryBuilder<Schema, 'volumes', O>,
  { key, direction }: VolumeOrder,
  stretch: Stretch,
): SelectQueryBuilder<Schema, 'volumes', O> {
  return orderColumns(key, stretch).reduce((ordered, column) => ordered.orderBy(column, direction), query);
}

const liveVolumes = (
  tools: Tools,
  conditions: readonly Condition[],
  p: Params,
  entry: (condition: Condition) => Entry,
) =>
  tools.db
    .selectFrom('volumes')
    .where('deleted_at', 'is', null)
    .where((eb) => eb.and(conditions.map((condition) => condition.where(tools, p, entry(condition)))));

/** Statements by their shape: one for each combination of filters and order that is asked for. */
const SHAPES = new Map<string, Statement<Params>>();
/** Beyond it the oldest is forgotten. */
const MAX_SHAPES = 256;

function shaped<Row>(
  what: string,
  conditions: readonly Condition[],
  build: (tools: Tools, p: Params) => Compilable<Row>,
): Statement<Params, Row> {
  const shape = [what, ...conditions.map((condition) => condition.shape)].join('|');
  // the shape says what the rows are
  let found = SHAPES.get(shape) as Statement<Params, Row> | undefined;
  if (!found) {
    found = new Statement(build, { isAdHoc: conditions.some((condition) => condition.shape !== 'project_id') });
    SHAPES.set(shape, found);
    if (SHAPES.size > MAX_SHAPES) SHAPES.delete(SHAPES.keys().next().value as string);
  }
  return found;
}
