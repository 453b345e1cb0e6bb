import type { Command } from 'commander';
import { Option } from 'commander';

import type { VolumeType } from '../../gen/cinder/api/v3/volume_types.js';
import { onApi, type Api } from '../api.js';
import type { AddTo, CommandContext } from '../context.js';
import { examples } from '../help.js';
import { forEach, NO_LIMIT, upTo } from '../lookup.js';
import type { Row } from '../output.js';
import { CommandError, UsageError } from '../parts.js';
import { count, pair, several } from '../values.js';

interface ChangeOptions {
  readonly name?: string;
  readonly description?: string;
  readonly public?: boolean;
  readonly private?: boolean;
  readonly property: ReadonlyMap<string, string>;
  readonly project: readonly string[];
}

const COLUMNS = ['ID', 'Name', 'Is Public'] as const;
const LONG_COLUMNS = [...COLUMNS, 'Description', 'Properties'] as const;
const MORE_COLUMNS = [...LONG_COLUMNS, 'Created At', 'Updated At'] as const;
const FIELDS = { volume_type: '<type>', keys: '--property', project_id: '--project' };
const CALLER = "\n--project is the project that gets the type; the caller's own stands before the command's name.";

/** Adds `volume type …`. */
export const addVolumeTypeCommands: AddTo = (type, context) => {
  addReads(type, context);
  addChanges(type, context);
  addDefaults(type.command('default').description("The type of a project's volumes that name none"), context);
};

function addReads(type: Command, context: CommandContext): void {
  type
    .command('list')
    .description('List the types that the project may use, by name')
    .option('--long', 'more columns', false)
    .addOption(new Option('--public', 'those every project may use').conflicts('private'))
    .option('--private', 'those that only some may use (administrators)')
    .addOption(new Option('--default', 'the type of volumes that name none').conflicts(['public', 'private']))
    .option('--limit <count>', 'at most so many [default: all]', count, NO_LIMIT)
    .addHelpText('after', examples('volume type list', ['volume type list --long -f json', 'with their properties']))
    .action(onApi(context, listTypes));

  type
    .command('show')
    .description('Show a type')
    .argument('<type>', 'its name or id')
    .addHelpText('after', examples('volume type show fast'))
    .action(onApi(context, showType, { fields: FIELDS }));
}

function addChanges(type: Command, context: CommandContext): void {
  const changing = { fields: FIELDS, changes: true };
  type
    .command('create')
    .description('Make a type (administrators)')
    .argument('<name>', 'its name')
    .option('--description <words>', 'words about it')
    .addOption(new Option('--public', 'every project may use it [default]').conflicts('private'))
    .option('--private', 'only projects that are let in may use it')
    .option('--property <key=value>', 'ask this of a pool (repeat for more)', pair, new Map())
    .option('--project <id>', 'let this project in, with --private (repeat for more)', several, [])
    .addHelpText(
      'after',
      `${examples(
        ['volume type create --property volume_backend_name=ssd fast', 'volumes of it go to that backend'],
        ['volume type create --private --project demo secret', 'for one project only'],
      )}\n${CALLER}`,
    )
    .action(onApi(context, createType, { ...changing, fields: { ...FIELDS, name: '<name>' } }));

  type
    .command('set')
    .description('Change a type (administrators)')
    .argument('<type>', 'its name or id')
    .option('--name <name>', 'a new name')
    .option('--description <words>', 'new words about it')
    .addOption(new Option('--public', 'every project may use it').conflicts('private'))
    .option('--private', 'only projects that are let in may use it')
    .option('--property <key=value>', 'ask this of a pool (repeat for more); the others stay', pair, new Map())
    .option('--project <id>', 'let this project in (repeat for more)', several, [])
    .addHelpText('after', `${examples('volume type set --property volume_backend_name=nvme fast')}\n${CALLER}`)
    .action(onApi(context, setType, changing));

  type
    .command('unset')
    .description('Take properties or projects out of a type (administrators)')
    .argument('<type>', 'its name or id')
    .option('--property <key>', 'the property (repeat for more)', several, [])
    .option('--project <id>', 'a project that may no longer use it (repeat for more)', several, [])
    .addHelpText('after', `${examples('volume type unset --property volume_backend_name fast')}\n${CALLER}`)
    .action(onApi(context, unsetType, changing));

  type
    .command('delete')
    .description('Delete types (administrators)')
    .argument('<type...>', 'their names or ids')
    .addHelpText('after', examples('volume type delete fast slow'))
    .action(onApi(context, deleteTypes, changing));
}

function addDefaults(defaults: Command, context: CommandContext): void {
  const changing = { fields: { ...FIELDS, project_id: '<project>' }, changes: true };
  defaults
    .command('show')
    .description('Show the default type')
    .argument('[project]', "of this project; else the caller's own")
    .addHelpText('after', examples('volume type default show'))
    .action(
      onApi(context, async (api, projectId: string | undefined) => showDefault(api, projectId), {
        fields: changing.fields,
      }),
    );

  defaults
    .command('set')
    .description("Set a project's default type (administrators)")
    .argument('<type>', 'its name or id')
    .argument('<project>', 'the project')
    .addHelpText('after', examples('volume type default set fast demo'))
    .action(
      onApi(
        context,
        async ({ client, call }, volumeType: string, projectId: string) => {
          await client.volumeTypes.setDefaultVolumeType({ volumeType, projectId }, call);
        },
        changing,
      ),
    );

  defaults
    .command('unset')
    .description("Remove a project's default type: the configured one is used again (administrators)")
    .argument('<project>', 'the project')
    .addHelpText('after', examples('volume type default unset demo'))
    .action(
      onApi(
        context,
        async ({ client, call }, projectId: string) => {
          await client.volumeTypes.unsetDefaultVolumeType({ projectId }, call);
        },
        changing,
      ),
    );
}

async function listTypes(
  api: Api,
  options: { long: boolean; limit: number; public?: boolean; private?: boolean; default?: boolean },
): Promise<void> {
  const { client, call } = api;
  const isPublic = isPublicOf(options);
  const types = options.default
    ? [present((await client.volumeTypes.getDefaultVolumeType({}, call)).volumeType)]
    : await upTo(options.limit, async (pageSize, pageToken) => {
        const page = await client.volumeTypes.listVolumeTypes({ pageSize, pageToken, isPublic }, call);
        return { items: page.volumeTypes, nextPageToken: page.nextPageToken };
      });
  await api.printList(types.map(typeRow), options.long ? LONG_COLUMNS : COLUMNS, MORE_COLUMNS);
}

async function showType(api: Api, volumeType: string): Promise<void> {
  const type = present((await api.client.volumeTypes.getVolumeType({ volumeType }, api.call)).volumeType);
  await api.printRecord(typeRecord(type, await projectsOf(api, type)));
}

async function showDefault(api: Api, projectId = ''): Promise<void> {
  const type = present((await api.client.volumeTypes.getDefaultVolumeType({ projectId }, api.call)).volumeType);
  await api.printRecord(typeRecord(type, await projectsOf(api, type)));
}

async function createType(api: Api, name: string, options: ChangeOptions): Promise<void> {
  const isPublic = isPublicOf(options);
  if (options.project.length > 0 && isPublic !== false) throw new UsageError('--project is for --private types.');
  const request = { name, description: options.description, isPublic, extraSpecs: options.property };
  const type = present((await api.client.volumeTypes.createVolumeType(request, api.call)).volumeType);
  await letIn(api, type.id, options.project);
  await api.printRecord(typeRecord(type, options.project));
}

async function setType(api: Api, volumeType: string, options: ChangeOptions): Promise<void> {
  const { client, call } = api;
  const update = { name: options.name, description: options.description, isPublic: isPublicOf(options) };
  const changesFields = Object.values(update).some((value) => value !== undefined);
  if (!changesFields && options.property.size === 0 && options.project.length === 0) {
    throw new UsageError('Say what to set: --name, --description, --public, --private, --property or --project.');
  }
  // its id: the name may be what changes
  const { id } = present((await client.volumeTypes.getVolumeType({ volumeType }, call)).volumeType);
  if (changesFields) await client.volumeTypes.updateVolumeType({ volumeType: id, ...update }, call);
  if (options.property.size > 0) {
    await client.volumeTypes.setVolumeTypeExtraSpecs({ volumeType: id, extraSpecs: options.property }, call);
  }
  await letIn(api, id, options.project);
}

async function unsetType(
  api: Api,
  volumeType: string,
  { property, project }: Pick<ChangeOptions, 'project'> & { readonly property: readonly string[] },
): Promise<void> {
  if (property.length === 0 && project.length === 0)
    throw new UsageError('Say what to unset: --property or --project.');
  const { client, call } = api;
  if (property.length > 0) await client.volumeTypes.deleteVolumeTypeExtraSpecs({ volumeType, keys: property }, call);
  await forEach(api, project, 'projects may still use the type', async (projectId) => {
    await client.volumeTypes.removeVolumeTypeAccess({ volumeType, projectId }, call);
  });
}

async function deleteTypes(api: Api, names: readonly string[]): Promise<void> {
  await forEach(api, names, 'types could not be deleted', async (volumeType) => {
    await api.client.volumeTypes.deleteVolumeType({ volumeType }, api.call);
  });
}

async function letIn(api: Api, volumeType: string, projects: readonly string[]): Promise<void> {
  await forEach(api, projects, 'projects could not be let in', async (projectId) => {
    await api.client.volumeTypes.addVolumeTypeAccess({ volumeType, projectId }, api.call);
  });
}

/** Who may use a private type; undefined where that is everybody, or not the caller's to know. */
async function projectsOf({ client, call }: Api, type: VolumeType): Promise<readonly string[] | undefined> {
  if (type.isPublic) return undefined;
  try {
    return await upTo(NO_LIMIT, async (pageSize, pageToken) => {
      const request = { volumeType: type.id, pageSize, pageToken };
      const page = await client.volumeTypes.listVolumeTypeAccess(request, call);
      return { items: page.projectIds, nextPageToken: page.nextPageToken };
    });
  } catch (error) {
    if (call.signal.aborted) throw error;
    return undefined;
  }
}

function typeRow(type: VolumeType): Row {
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

function typeRecord(type: VolumeType, projects: readonly string[] | undefined): Row {
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

function isPublicOf(options: { readonly public?: boolean; readonly private?: boolean }): boolean | undefined {
  return options.public ?? (options.private ? false : undefined);
}

function present(type: VolumeType | undefined): VolumeType {
  if (type === undefined) throw new CommandError('The API answered without a volume type.');
  return type;
}
