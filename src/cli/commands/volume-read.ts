import { Option } from 'commander';

import type { VolumeFilter } from '../../gen/cinder/api/v3/volumes.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { typeNameOf, typeNames, volumeIdOf } from '../lookup.js';
import { NO_LIMIT, upTo } from '../pages.js';
import { CommandError } from '../parts.js';
import { count, pair, time } from '../values.js';
import { statusWord, volumeStatus } from '../volume-status.js';
import { LIST_COLUMNS, LONG_COLUMNS, MORE_COLUMNS, volumeRecord, volumeRow } from './volume-view.js';

interface ListOptions {
  readonly long: boolean;
  readonly allProjects: boolean;
  readonly limit: number;
  readonly sort?: string;
  readonly name?: string;
  readonly nameContains?: string;
  readonly status: readonly string[];
  readonly type?: string;
  readonly availabilityZone?: string;
  readonly bootable?: boolean;
  readonly nonBootable?: boolean;
  readonly property: ReadonlyMap<string, string>;
  readonly source?: string;
  readonly snapshot?: string;
  readonly createdSince?: Date;
  readonly createdBefore?: Date;
  readonly updatedSince?: Date;
  readonly updatedBefore?: Date;
  readonly host?: string;
  readonly ofProject?: string;
  readonly ofUser?: string;
}

const FIELDS = {
  page_size: '--limit',
  sort: '--sort',
  'filter.name': '--name',
  'filter.name_contains': '--name-contains',
  'filter.statuses': '--status',
  'filter.volume_type': '--type',
  'filter.availability_zone': '--availability-zone',
  'filter.bootable': '--bootable',
  'filter.metadata': '--property',
  'filter.source_volume_id': '--source',
  'filter.snapshot_id': '--snapshot',
  'filter.created_at': '--created-since',
  'filter.updated_at': '--updated-since',
  'filter.host': '--host',
  'filter.project_id': '--of-project',
  'filter.user_id': '--of-user',
  'filter.all_projects': '--all-projects',
  all_projects: '--all-projects',
};

/** Adds `volume list | show | summary`. */
export const addVolumeReads: AddTo = (volume, context) => {
  volume
    .command('list')
    .description('List volumes, newest first')
    .option('--long', 'more columns', false)
    .option('--all-projects', 'of all projects (administrators)', false)
    .option('--name <name>', 'with exactly this name')
    .option('--name-contains <part>', 'with this part in their name')
    .option('--status <status>', 'in this status (repeat for more)', volumeStatus, [])
    .option('--type <type>', 'of this type, id or name')
    .option('--availability-zone <zone>', 'in this zone')
    .addOption(new Option('--bootable', 'those a server can boot from').conflicts('nonBootable'))
    .option('--non-bootable', 'those it cannot')
    .option('--property <key=value>', 'with this property (repeat for more)', pair, new Map<string, string>())
    .option('--source <volume>', 'clones of this volume, name or id')
    .option('--snapshot <id>', 'made from this snapshot')
    .option('--created-since <time>', 'made then or later, e.g. 2026-01-31 or 2026-01-31T12:00:00Z', time)
    .option('--created-before <time>', 'made before', time)
    .option('--updated-since <time>', 'changed then or later', time)
    .option('--updated-before <time>', 'not changed since', time)
    .option('--host <host>', 'at this host, host@backend or host@backend#pool (administrators)')
    .option('--of-project <id>', 'of this project instead of your own (administrators)')
    .option('--of-user <id>', 'made by this user')
    .option('--sort <key:direction>', 'e.g. name:asc or size:desc [default: created_at:desc]')
    .option('--limit <count>', 'at most so many [default: all]', count, NO_LIMIT)
    .addHelpText(
      'after',
      examples(
        ['volume list --status error --status error_deleting', 'those that failed'],
        ['volume list --long --sort size:desc --limit 10', 'the ten largest'],
        ['volume list --property env=test -f value -c ID', 'ids for a script'],
        ['--roles admin volume list --all-projects -c ID -c "Project ID"', 'of everybody, for administrators'],
      ),
    )
    .action(onApi(context, listVolumes, { fields: FIELDS }));

  volume
    .command('show')
    .description('Show a volume')
    .argument('<volume>', 'its name or id')
    .addHelpText('after', examples('volume show first', ['volume show first -f value -c status', 'for a script']))
    .action(onApi(context, showVolume));

  volume
    .command('summary')
    .description('Count volumes and add up their sizes, GiB')
    .option('--all-projects', 'of all projects (administrators)', false)
    .addHelpText('after', examples('volume summary'))
    .action(onApi(context, summary, { fields: FIELDS }));
};

async function listVolumes(api: Api, options: ListOptions): Promise<void> {
  const { output, client, call } = api;
  const filter = await filterOf(api, options);
  const volumes = await upTo(options.limit, async (pageSize, pageToken) => {
    const page = await client.volumes.listVolumes({ pageSize, pageToken, filter, sort: options.sort ?? '' }, call);
    return { items: page.volumes, nextPageToken: page.nextPageToken };
  });
  const columns = options.long ? LONG_COLUMNS : LIST_COLUMNS;
  const shown = output.columns.length > 0 ? output.columns : columns;
  const showsType = volumes.length > 0 && shown.some((column) => column.toLowerCase() === 'type');
  const typeName = showsType ? await typeNames(api) : (typeId: string) => typeId;
  await api.printList(
    volumes.map((each) => volumeRow(each, typeName)),
    columns,
    MORE_COLUMNS,
  );
}

async function filterOf(api: Api, options: ListOptions): Promise<Partial<VolumeFilter>> {
  const { VolumeStatus } = await import('../../gen/cinder/api/v3/volumes.js');
  const isBootable = options.bootable ?? (options.nonBootable ? false : undefined);
  return {
    name: options.name,
    nameContains: options.nameContains,
    statuses: Object.values(VolumeStatus).filter((status) => options.status.includes(statusWord(status))),
    volumeType: options.type,
    availabilityZone: options.availabilityZone,
    bootable: isBootable,
    metadata: new Map(options.property),
    sourceVolumeId: options.source === undefined ? undefined : await volumeIdOf(api, options.source),
    snapshotId: options.snapshot,
    createdAt: between(options.createdSince, options.createdBefore),
    updatedAt: between(options.updatedSince, options.updatedBefore),
    host: options.host,
    projectId: options.ofProject,
    userId: options.ofUser,
    allProjects: options.allProjects,
  };
}

function between(gte: Date | undefined, lt: Date | undefined): VolumeFilter['createdAt'] {
  return gte === undefined && lt === undefined
    ? undefined
    : { gte, lt, gt: undefined, lte: undefined, eq: undefined, neq: undefined };
}

async function showVolume(api: Api, name: string): Promise<void> {
  const volumeId = await volumeIdOf(api, name);
  const { volume } = await api.client.volumes.getVolume({ volumeId }, api.call);
  if (volume === undefined) throw new CommandError('The API answered without a volume.');
  await api.printRecord(volumeRecord(volume, await typeNameOf(api, volume.volumeTypeId)));
}

async function summary(api: Api, { allProjects }: { readonly allProjects: boolean }): Promise<void> {
  const { totalCount, totalSize, metadata } = await api.client.volumes.summarizeVolumes({ allProjects }, api.call);
  const values = [...metadata].map(([key, { values: each }]) => [key, each] as const);
  await api.printRecord({
    'Total Count': totalCount,
    'Total Size': totalSize,
    Metadata: Object.fromEntries(values),
  });
}
