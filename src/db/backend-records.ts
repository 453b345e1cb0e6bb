import { sql } from 'kysely';
import { backendOf } from '../objects/backend-name.js';
import { MAY_BE_ABSENT, type VolumeStatus } from '../objects/volume-status.js';
import { listIn } from './json.js';
import type { VolumesTable } from './schema.js';
import { statement, type Tools } from './statement.js';
import type { Store } from './store.js';

/** What a volume service must know of a volume to compare it with its storage. */
export interface BackendRecord {
  readonly id: string;
  /** Name on the storage: the id, but for migrated volumes. */
  readonly nameId: string;
  /** `host@backend#pool`. */
  readonly host: string;
  readonly sizeGib: number;
  readonly status: VolumeStatus;
}

/** Records read at a time. */
const PAGE = 1_000;

/** The live records of all pools of a backend (`host@backend`), page by page. */
export async function* recordsOfBackend(store: Store, backend: string): AsyncGenerator<readonly BackendRecord[]> {
  for (let after = ''; ;) {
    const page = await store.read(ofBackend.with({ first: `${backend}#`, last: `${backend}$`, after, limit: PAGE }));
    const records = page.map((row) => ({
      id: row.id,
      nameId: row.name_id ?? row.id,
      host: row.host ?? '',
      sizeGib: row.size,
      status: row.status as VolumeStatus,
    }));
    yield records;
    if (records.length < PAGE) return;
    after = records.at(-1)?.id ?? '';
  }
}

/** The claimed work on a backend: resource id → epoch of the claim. */
export async function claimsOnBackend(store: Store, backend: string): Promise<ReadonlyMap<string, number>> {
  const rows = await store.read(claimedOn.with({ target: backend }));
  return new Map(rows.map((row) => [row.resource_id, row.epoch]));
}

/** A record as it is looked at while the backend works. */
export interface PlacedRecord extends BackendRecord {
  readonly revision: number;
  /** Its place among the records of the backend. */
  readonly place: string;
}

/** Live records of a backend (`host@backend`) behind a place, up to another one. Empty: from the first, to the last. */
export async function recordsBetween(
  store: Store,
  query: { readonly backend: string; readonly after: string; readonly until: string; readonly limit: number },
): Promise<readonly PlacedRecord[]> {
  const { backend, after, until, limit } = query;
  // from the name alone on, without a pool, as a hand may have left it
  const [host, createdAt, id] = placeOf(after, [backend, 0, '']);
  const [lastHost, lastCreatedAt, lastId] = placeOf(until, [`${backend}$`, 0, '']);
  const rows = await store.read(between.with({ host, createdAt, id, lastHost, lastCreatedAt, lastId, limit }));
  return rows.map(toPlaced);
}

/** The live records of a backend that have one of these names on the storage, in no order. */
export async function recordsNamed(
  store: Store,
  backend: string,
  names: readonly string[],
): Promise<readonly PlacedRecord[]> {
  const query = { first: `${backend}#`, last: `${backend}$`, names: JSON.stringify(names) };
  const rows = await Promise.all([store.read(withIds.with(query)), store.read(withNames.with(query))]);
  return rows.flat().map(toPlaced);
}

/**
 * Live records of no backend whose status says that they are stored on one: those that name none, the oldest first, then
 * those whose name a hand has left empty.
 */
export async function recordsOfNoBackend(store: Store, limit: number): Promise<readonly PlacedRecord[]> {
  const query = { limit, absent: JSON.stringify(MAY_BE_ABSENT) };
  const rows = await Promise.all([store.read(ofNone.with(query)), store.read(ofEmptyName.with(query))]);
  return rows.flat().slice(0, limit).map(toPlaced);
}

/** Of these names on the storage those that a live record has, whatever its backend. */
export async function namesOnRecord(store: Store, names: readonly string[]): Promise<ReadonlySet<string>> {
  const query = { names: JSON.stringify(names) };
  const rows = await Promise.all([store.read(anywhereWithIds.with(query)), store.read(anywhereWithNames.with(query))]);
  return new Set(rows.flat().map(({ name }) => name));
}

/** The work on these resources at a backend: resource id → epoch. */
export async function workAt(
  store: Store,
  backend: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await store.read(workOn.with({ target: backend, ids: JSON.stringify(ids) }));
  return new Map(rows.map((row) => [row.resource_id, row.epoch]));
}

/** Backends (`host@backend`) that have live records, in their order. Reads one entry of an index for each. */
export async function backendsWithRecords(store: Store): Promise<readonly string[]> {
  const backends: string[] = [];
  for (let after = ''; ;) {
    const [row] = await store.read(firstHost.with({ after }));
    if (row?.host == null) return backends;
    const backend = backendOf(row.host);
    backends.push(backend);
    after = `${backend}$`;
  }
}

type Place = readonly [host: string, createdAt: number, id: string];

function placeOf(text: string, otherwise: Place): Place {
  return text === '' ? otherwise : (JSON.parse(text) as Place);
}

function toPlaced(row: PlacedRow): PlacedRecord {
  const host = row.host ?? '';
  return {
    ...{ id: row.id, nameId: row.name_id ?? row.id, host, sizeGib: row.size },
    ...{ status: row.status as VolumeStatus, revision: row.revision },
    place: JSON.stringify([host, row.created_at, row.id] satisfies Place),
  };
}

const PLACED = ['id', 'name_id', 'host', 'size', 'status', 'revision', 'created_at'] as const;
type PlacedRow = Pick<VolumesTable, (typeof PLACED)[number]>;

interface Between {
  readonly host: string;
  readonly createdAt: number;
  readonly id: string;
  readonly lastHost: string;
  readonly lastCreatedAt: number;
  readonly lastId: string;
  readonly limit: number;
}

const between = statement<Between>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select(PLACED)
    .where('deleted_at', 'is', null)
    .where((eb) => eb(eb.refTuple('host', 'created_at', 'id'), '>', eb.tuple(p.host, p.createdAt, p.id)))
    .where((eb) => eb(eb.refTuple('host', 'created_at', 'id'), '<=', eb.tuple(p.lastHost, p.lastCreatedAt, p.lastId)))
    .orderBy('host')
    .orderBy('created_at')
    .orderBy('id')
    .limit(p.limit),
);

interface OfNone {
  readonly absent: string;
  readonly limit: number;
}

const ofNone = statement<OfNone>()((tools, p) => stored(tools, p).where('host', 'is', null));
const ofEmptyName = statement<OfNone>()((tools, p) => stored(tools, p).where('host', '=', ''));

/** Records whose status says that they are stored somewhere, the oldest first. */
function stored({ db, dialect }: Tools, p: OfNone) {
  return db
    .selectFrom('volumes')
    .select(PLACED)
    .where('deleted_at', 'is', null)
    .where('status', 'not in', listIn(dialect, p.absent))
    .orderBy('created_at')
    .orderBy('id')
    .limit(p.limit);
}

interface Named {
  readonly first: string;
  readonly last: string;
  readonly names: string;
}

const withIds = statement<Named>()(({ db, dialect }, p) =>
  db
    .selectFrom('volumes')
    .select(PLACED)
    .where('id', 'in', listIn(dialect, p.names))
    .where('name_id', 'is', null)
    .where('host', '>=', p.first)
    .where('host', '<', p.last)
    .where('deleted_at', 'is', null),
);

const withNames = statement<Named>()(({ db, dialect }, p) =>
  db
    .selectFrom('volumes')
    .select(PLACED)
    .where('name_id', 'in', listIn(dialect, p.names))
    .where('name_id', 'is not', null)
    .where('host', '>=', p.first)
    .where('host', '<', p.last)
    .where('deleted_at', 'is', null),
);

const anywhereWithIds = statement<Pick<Named, 'names'>>()(({ db, dialect }, p) =>
  db
    .selectFrom('volumes')
    .select('id as name')
    .where('id', 'in', listIn(dialect, p.names))
    .where('deleted_at', 'is', null),
);

const anywhereWithNames = statement<Pick<Named, 'names'>>()(({ db, dialect }, p) =>
  db
    .selectFrom('volumes')
    .select(sql<string>`name_id`.as('name'))
    .where('name_id', 'in', listIn(dialect, p.names))
    .where('name_id', 'is not', null)
    .where('deleted_at', 'is', null),
);

const workOn = statement<{ target: string; ids: string }>()(({ db, dialect }, p) =>
  db
    .selectFrom('workers')
    .select(['resource_id', 'epoch'])
    .where('resource_type', '=', 'Volume')
    .where('resource_id', 'in', listIn(dialect, p.ids))
    .where('binary', '=', 'cinder-volume')
    .where('target', '=', p.target),
);

const firstHost = statement<{ after: string }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select('host')
    .where('host', '>', p.after)
    .where('deleted_at', 'is', null)
    .orderBy('host')
    .limit(1),
);

/** `$` follows `#` in the collation of the column: the range is what begins with `host@backend#`. */
const ofBackend = statement<{ first: string; last: string; after: string; limit: number }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select(['id', 'name_id', 'host', 'size', 'status'])
    .where('host', '>=', p.first)
    .where('host', '<', p.last)
    .where('deleted_at', 'is', null)
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(p.limit),
);

const claimedOn = statement<{ target: string }>()(({ db }, p) =>
  db
    .selectFrom('workers')
    .select(['resource_id', 'epoch'])
    .where('binary', '=', 'cinder-volume')
    .where('target', '=', p.target)
    .where('resource_type', '=', 'Volume')
    .where('state', '=', 'claimed'),
);
