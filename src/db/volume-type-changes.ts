import { type ExpressionBuilder, sql } from 'kysely';
import { listIn, orderedPairsIn, toPairs } from './json.js';
import type { Schema } from './schema.js';
import { statement, type Tools } from './statement.js';
import type { Step, Store } from './store.js';

/** A volume type to make. Extra specs keep the order they come in. */
export interface NewVolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly isPublic: boolean;
  readonly extraSpecs: ReadonlyMap<string, string>;
}

/** What is to change of a type; what is absent stays. */
export interface VolumeTypeChange {
  readonly name?: string;
  /** null: the words are removed. */
  readonly description?: string | null;
  readonly isPublic?: boolean;
}

/** Makes a type. A UniqueViolation of the first step: a live type has the name. */
export function insertVolumeType({ id, name, description, isPublic, extraSpecs }: NewVolumeType): readonly Step[] {
  return [
    { statement: insert.with({ id, name, description, isPublic: Number(isPublic) }), rows: 1 },
    ...(extraSpecs.size > 0 ? [putSpecs(id, extraSpecs)] : []),
  ];
}

/** Changes a live type. A UniqueViolation: another live type has the name. */
export function updateVolumeType(id: string, { name, description, isPublic }: VolumeTypeChange): Step {
  const words = { changesDescription: Number(description !== undefined), description: description ?? null };
  const known = { name: name ?? null, isPublic: isPublic === undefined ? null : Number(isPublic) };
  return { statement: update.with({ id, ...known, ...words }), rows: 1 };
}

/**
 * Adds extra specs to a live type, or changes them: known keys keep their place, new ones come last. The first step
 * demands the type, and keeps others from changing it until the unit is written; the last one demands that the type has no
 * more than `maxPairs`.
 */
export function setExtraSpecs(id: string, specs: ReadonlyMap<string, string>, maxPairs: number): readonly Step[] {
  return [touch(id), putSpecs(id, specs), { statement: demandAtMost.with({ id, maxPairs }), rows: 1 }];
}

/** Takes extra specs out of a live type. The first step demands the type, the second every key. */
export function deleteExtraSpecs(id: string, keys: ReadonlySet<string>): readonly Step[] {
  return [touch(id), { statement: removeSpecs.with({ id, keys: JSON.stringify([...keys]) }), rows: keys.size }];
}

/**
 * Deletes a type that no live volume has, that is nobody's default (`configuredName`: the configured one), and that is not
 * the last one; the second step touches no row when it may not go: see `whyTypeStays`. Its quota limits (`limitKeys`), its
 * extra specs and its list of projects go with it. The first step waits for units that have demanded a type, and lets none begin.
 */
export function deleteVolumeType(
  id: string,
  { configuredName, limitKeys }: { readonly configuredName: string; readonly limitKeys: readonly string[] },
): readonly Step[] {
  return [
    { statement: lockTypes.with({}) },
    { statement: markDeleted.with({ id, configuredName }), rows: 1 },
    { statement: removeAllSpecs.with({ id }) },
    { statement: removeAccess.with({ id }) },
    { statement: removeLimits.with({ keys: JSON.stringify(limitKeys) }) },
  ];
}

/** What keeps a live type from being deleted now. */
export interface TypeStays {
  readonly isDefault: boolean;
  readonly isLast: boolean;
  readonly isUsed: boolean;
}

/** Why `deleteVolumeType` touched no row; undefined: the type is gone. */
export async function whyTypeStays(
  store: Store,
  { id, configuredName }: { readonly id: string; readonly configuredName: string },
): Promise<TypeStays | undefined> {
  const [row] = await store.read(reasons.with({ id, configuredName }));
  return row && { isDefault: row.is_default === 1, isLast: row.is_last === 1, isUsed: row.is_used === 1 };
}

function putSpecs(id: string, specs: ReadonlyMap<string, string>): Step {
  return { statement: upsertSpecs.with({ id, pairs: toPairs(specs) }), rows: specs.size };
}

function touch(id: string): Step {
  return updateVolumeType(id, {});
}

interface Named {
  readonly id: string;
  readonly configuredName: string;
}

const insert = statement<{ id: string; name: string; description: string | null; isPublic: number }>()(
  ({ db, now }, p) =>
    db.insertInto('volume_types').values({
      ...{ id: p.id, name: p.name, description: p.description, is_public: p.isPublic, qos_specs_id: null },
      ...{ created_at: now, updated_at: now, deleted_at: null },
    }),
);

const update = statement<{
  readonly id: string;
  readonly name: string | null;
  readonly changesDescription: number;
  readonly description: string | null;
  readonly isPublic: number | null;
}>()(({ db, now }, p) =>
  db
    .updateTable('volume_types')
    .set({
      name: sql<string>`coalesce(${p.name}, name)`,
      description: sql<string | null>`case when ${p.changesDescription} = 1 then ${p.description} else description end`,
      is_public: sql<number>`coalesce(${p.isPublic}, is_public)`,
      updated_at: now,
    })
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const upsertSpecs = statement<{ id: string; pairs: string }>()(({ db, dialect }, p) =>
  db
    .insertInto('volume_type_extra_specs')
    .columns(['volume_type_id', 'position', 'key', 'value'])
    .expression((eb) =>
      eb
        .selectFrom(orderedPairsIn(dialect, p.pairs).as('pair'))
        .select([
          sql<string>`cast(${p.id} as text)`.as('volume_type_id'),
          sql<number>`(select coalesce(max(position), -1) from volume_type_extra_specs where volume_type_id = ${p.id}) + 1 + pair.place`.as(
            'position',
          ),
          'pair.key',
          'pair.value',
        ])
        // without a condition SQLite takes ON for the beginning of a join
        .where(sql<boolean>`true`),
    )
    .onConflict((conflict) =>
      conflict.columns(['volume_type_id', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })),
    ),
);

const demandAtMost = statement<{ id: string; maxPairs: number }>()(({ db }, p) =>
  db
    .selectFrom('volume_types')
    .select('id')
    .where('id', '=', p.id)
    .where((eb) =>
      eb(
        eb
          .selectFrom('volume_type_extra_specs')
          .select(eb.fn.countAll<number>().as('count'))
          .where('volume_type_id', '=', p.id),
        '<=',
        p.maxPairs,
      ),
    ),
);

const removeSpecs = statement<{ id: string; keys: string }>()(({ db, dialect }, p) =>
  db
    .deleteFrom('volume_type_extra_specs')
    .where('volume_type_id', '=', p.id)
    .where('key', 'in', listIn(dialect, p.keys)),
);

/** All of them, in one order, so that two deletions can neither wait for each other nor both leave the last one to the other. */
const lockTypes = statement()(({ db, dialect }) => {
  const live = db.selectFrom('volume_types').select('id').where('deleted_at', 'is', null).orderBy('id');
  return dialect === 'postgres' ? live.forUpdate() : live;
});

const isUsed = (eb: ExpressionBuilder<Schema, 'volume_types'>) =>
  eb.exists(
    eb
      .selectFrom('volumes')
      .select('volumes.id')
      .whereRef('volumes.volume_type_id', '=', 'volume_types.id')
      .where('volumes.deleted_at', 'is', null),
  );

const isDefault = (eb: ExpressionBuilder<Schema, 'volume_types'>, configuredName: string) =>
  eb.or([
    eb('volume_types.name', '=', configuredName),
    eb.exists(
      eb
        .selectFrom('default_volume_types')
        .select('default_volume_types.project_id')
        .whereRef('default_volume_types.volume_type_id', '=', 'volume_types.id'),
    ),
  ]);

const isLast = (eb: ExpressionBuilder<Schema, 'volume_types'>) =>
  eb.not(
    eb.exists(
      eb
        .selectFrom('volume_types as other')
        .select('other.id')
        .where('other.deleted_at', 'is', null)
        .whereRef('other.id', '!=', 'volume_types.id'),
    ),
  );

const live = (eb: ExpressionBuilder<Schema, 'volume_types'>, id: string) =>
  eb.and([eb('volume_types.id', '=', id), eb('volume_types.deleted_at', 'is', null)]);

const markDeleted = statement<Named>()(({ db, now }, p) =>
  db
    .updateTable('volume_types')
    .set({ deleted_at: now, updated_at: now })
    .where((eb) => live(eb, p.id))
    .where((eb) => eb.not(isUsed(eb)))
    .where((eb) => eb.not(isDefault(eb, p.configuredName)))
    .where((eb) => eb.not(isLast(eb))),
);

const reasons = statement<Named>()(({ db }: Tools, p) =>
  db
    .selectFrom('volume_types')
    .where((eb) => live(eb, p.id))
    .select(({ eb }) => [
      eb.case().when(isUsed(eb)).then(1).else(0).end().as('is_used'),
      eb.case().when(isDefault(eb, p.configuredName)).then(1).else(0).end().as('is_default'),
      eb.case().when(isLast(eb)).then(1).else(0).end().as('is_last'),
    ]),
);

const removeAllSpecs = statement<{ id: string }>()(({ db }, p) =>
  db.deleteFrom('volume_type_extra_specs').where('volume_type_id', '=', p.id),
);

const removeAccess = statement<{ id: string }>()(({ db }, p) =>
  db.deleteFrom('volume_type_access').where('volume_type_id', '=', p.id),
);

const removeLimits = statement<{ keys: string }>()(({ db, dialect }, p) =>
  db.deleteFrom('quota_limits').where('resource', 'in', listIn(dialect, p.keys)),
);
