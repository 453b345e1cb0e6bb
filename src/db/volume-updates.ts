import { sql } from 'kysely';
import type { VolumeStatus } from '../objects/volume-status.js';
import { listIn, pairsIn, toPairs } from './json.js';
import { statement } from './statement.js';
import type { Step } from './store.js';
import { changeLive } from './volume-transitions.js';

/** Which volume, and how it must be to be changed. */
export interface Changeable {
  readonly id: string;
  /** Whose it must be; absent: anybody's. */
  readonly projectId?: string;
  /** What it must have; absent: any. */
  readonly revision?: number;
  /** In which it must not be. */
  readonly notIn: readonly VolumeStatus[];
}

/** What a user may change of a record; what is absent stays. */
export interface VolumeChange {
  readonly name?: string | null;
  readonly description?: string | null;
  readonly bootable?: boolean;
}

/** Changes a volume and counts the change, if it is as it must be; else the step touches no row. */
export function changeVolume({ id, projectId, revision, notIn }: Changeable, change: VolumeChange = {}): Step {
  const { name, description, bootable } = change;
  const condition = { id, projectId: projectId ?? null, revision: revision ?? null, notIn: JSON.stringify(notIn) };
  const values = {
    hasName: Number(name !== undefined),
    name: name ?? null,
    hasDescription: Number(description !== undefined),
    description: description ?? null,
    bootable: bootable === undefined ? null : Number(bootable),
  };
  return { statement: changed.with({ ...condition, ...values }), rows: 1 };
}

/** Adds pairs to a volume's metadata, or changes their values. */
export function putMetadata(volumeId: string, pairs: ReadonlyMap<string, string>): Step {
  return { statement: put.with({ volumeId, pairs: toPairs(pairs) }), rows: pairs.size };
}

/** Takes all pairs of a volume out. */
export function clearMetadata(volumeId: string): Step {
  return { statement: clear.with({ volumeId }) };
}

/** Takes pairs out, all of them; the step touches too few rows when one is not there. `keys`: each once. */
export function removeMetadata(volumeId: string, keys: readonly string[]): Step {
  return { statement: remove.with({ volumeId, keys: JSON.stringify(keys) }), rows: keys.length };
}

/** Demands that a volume has no more pairs than this, as the statements before it left it. */
export function demandMetadataWithin(volumeId: string, maxPairs: number): Step {
  return { statement: within.with({ volumeId, maxPairs }), rows: 1 };
}

interface ChangeParams {
  readonly id: string;
  readonly projectId: string | null;
  readonly revision: number | null;
  readonly notIn: string;
  readonly hasName: number;
  readonly name: string | null;
  readonly hasDescription: number;
  readonly description: string | null;
  readonly bootable: number | null;
}

const changed = statement<ChangeParams>()((tools, p) =>
  changeLive(tools, p.id)
    .set({
      name: sql<string | null>`case when cast(${p.hasName} as integer) = 1 then cast(${p.name} as text) else name end`,
      description: sql<
        string | null
      >`case when cast(${p.hasDescription} as integer) = 1 then cast(${p.description} as text) else description end`,
      bootable: sql<number>`coalesce(cast(${p.bootable} as integer), bootable)`,
    })
    .where(sql<boolean>`project_id = coalesce(cast(${p.projectId} as text), project_id)`)
    .where(sql<boolean>`revision = coalesce(cast(${p.revision} as bigint), revision)`)
    .where('status', 'not in', listIn(tools.dialect, p.notIn)),
);

const put = statement<{ volumeId: string; pairs: string }>()(({ db, dialect }, p) =>
  db
    .insertInto('volume_metadata')
    .columns(['volume_id', 'key', 'value'])
    .expression(
      db
        .selectFrom(pairsIn(dialect, p.pairs).as('pair'))
        .select([sql<string>`cast(${p.volumeId} as text)`.as('volume_id'), 'pair.key', 'pair.value'])
        .where(sql<boolean>`true`), // without it SQLite takes ON CONFLICT for a join
    )
    .onConflict((conflict) =>
      conflict.columns(['volume_id', 'key']).doUpdateSet({ value: (eb) => eb.ref('excluded.value') }),
    ),
);

const clear = statement<{ volumeId: string }>()(({ db }, p) =>
  db.deleteFrom('volume_metadata').where('volume_id', '=', p.volumeId),
);

const remove = statement<{ volumeId: string; keys: string }>()(({ db, dialect }, p) =>
  db.deleteFrom('volume_metadata').where('volume_id', '=', p.volumeId).where('key', 'in', listIn(dialect, p.keys)),
);

const within = statement<{ volumeId: string; maxPairs: number }>()(({ db }, p) =>
  db.selectNoFrom(sql<number>`1`.as('fits')).where(
    db
      .selectFrom('volume_metadata')
      .select(sql<number>`count(*)`.as('count'))
      .where('volume_id', '=', p.volumeId),
    '<=',
    p.maxPairs,
  ),
);
