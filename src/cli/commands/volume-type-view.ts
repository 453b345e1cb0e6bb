import type { VolumeType } from '../../gen/cinder/api/v3/volume_types.js';
import type { Row } from '../output.js';
import { CommandError } from '../parts.js';

/** Columns of `volume type list`, as OpenStack's client names them. */
export const COLUMNS = ['ID', 'Name', 'Is Public'] as const;
/** With `--long`. */
export const LONG_COLUMNS = [...COLUMNS, 'Description', 'Properties'] as const;
/** What `-c` may ask for. */
export const MORE_COLUMNS = [...LONG_COLUMNS, 'Created At', 'Updated At'] as const;

/** What the user typed for the fields of requests about types. */
export const FIELDS = { volume_type: '<type>', keys: '--property', project_id: '--project' };

/** A row of `volume type list`. */
export function typeRow(type: VolumeType): Row {
  return {
    ID: type.id,
    Name: type.name,
    'Is Public': type.isPublic,
    Description: type.description,
    Properties: Object.fromEntries(type.extraSpecs),
    'Created At': type.createdAt,
    'Updated At': type.updatedAt,
  };
}

/** The fields of `volume type show`. `projects`: who may use it; undefined where that is everybody, or not known. */
export function typeRecord(type: VolumeType, projects: readonly string[] | undefined): Row {
  return {
    access_project_ids: projects,
    created_at: type.createdAt,
    description: type.description,
    id: type.id,
    is_public: type.isPublic,
    name: type.name,
    properties: Object.fromEntries(type.extraSpecs),
    ...(type.qosSpecsId !== undefined && { qos_specs_id: type.qosSpecsId }),
    updated_at: type.updatedAt,
  };
}

/** What `--public` and `--private` say. */
export function isPublicOf(options: { readonly public?: boolean; readonly private?: boolean }): boolean | undefined {
  return options.public ?? (options.private ? false : undefined);
}

/** The type of an answer. Throws CommandError where there is none. */
export function present(type: VolumeType | undefined): VolumeType {
  if (type === undefined) throw new CommandError('The API answered without a volume type.');
  return type;
}
