import type { VolumeStatus } from '../objects/volume-status.js';
import { statement } from './statement.js';
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
