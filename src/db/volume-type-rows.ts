import { sql } from 'kysely';
import type { VolumeType } from '../objects/volume-type.js';
import { fromPairs, pairsOf } from './json.js';
import type { VolumeTypesTable } from './schema.js';
import type { Tools } from './statement.js';

/** A volume type as it is kept. Times in ms since 1970. */
export interface VolumeTypeRecord extends VolumeType {
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A row of `volume_types` with its extra specs as JSON pairs. */
export type VolumeTypeRow = Omit<VolumeTypesTable, 'deleted_at'> & { readonly extra_specs: string };

export function volumeTypeOf(row: VolumeTypeRow): VolumeTypeRecord {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    isPublic: row.is_public === 1,
    qosSpecsId: row.qos_specs_id,
    extraSpecs: fromPairs(row.extra_specs),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

const specs = sql`select key, value from volume_type_extra_specs where volume_type_id = volume_types.id order by position`;

/** Live types with everything that `volumeTypeOf` needs. */
export const liveTypes = ({ db, dialect }: Tools) =>
  db
    .selectFrom('volume_types')
    .select(['id', 'name', 'description', 'is_public', 'qos_specs_id', 'created_at', 'updated_at'])
    .select(pairsOf(dialect, specs).as('extra_specs'))
    .where('deleted_at', 'is', null);
