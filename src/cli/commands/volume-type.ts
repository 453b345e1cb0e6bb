import { Option, type Command } from 'commander';

import type { VolumeType } from '../../gen/cinder/api/v3/volume_types.js';
import { onApi, type Api } from '../api.js';
import type { AddTo, CommandContext } from '../context.js';
import { examples } from '../help.js';
import { NO_LIMIT, upTo } from '../pages.js';
import { count } from '../values.js';
import { addVolumeTypeChanges } from './volume-type-change.js';
import {
  COLUMNS,
  FIELDS,
  isPublicOf,
  LONG_COLUMNS,
  MORE_COLUMNS,
  present,
  typeRecord,
  typeRow,
} from './volume-type-view.js';

/** Adds `volume type …`. */
export const addVolumeTypeCommands: AddTo = (type, context) => {
  addReads(type, context);
  addVolumeTypeChanges(type, context);
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
