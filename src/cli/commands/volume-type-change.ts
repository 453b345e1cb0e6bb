import { Option } from 'commander';

import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { forEach } from '../for-each.js';
import { CommandError, UsageError } from '../parts.js';
import { pair, several } from '../values.js';
import { FIELDS, isPublicOf, present, typeRecord } from './volume-type-view.js';

interface ChangeOptions {
  readonly name?: string;
  readonly description?: string;
  readonly public?: boolean;
  readonly private?: boolean;
  readonly property: ReadonlyMap<string, string>;
  readonly project: readonly string[];
}

const CALLER = "\n--project is the project that gets the type; the caller's own stands before the command's name.";

/** Adds `volume type create | set | unset | delete`. */
export const addVolumeTypeChanges: AddTo = (type, context) => {
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
};

async function createType(api: Api, name: string, options: ChangeOptions): Promise<void> {
  const isPublic = isPublicOf(options);
  if (options.project.length > 0 && isPublic !== false) throw new UsageError('--project is for --private types.');
  const request = { name, description: options.description, isPublic, extraSpecs: options.property };
  const type = present((await api.client.volumeTypes.createVolumeType(request, api.call)).volumeType);
  try {
    await letIn(api, type.id, options.project);
  } catch (error) {
    if (api.call.signal.aborted) throw error;
    throw new CommandError(`Type ${type.id} was made.\n${api.explain(error)}`, 1, { cause: error });
  }
  await api.printRecord(typeRecord(type, options.project), `Type ${type.id} was made.`);
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
