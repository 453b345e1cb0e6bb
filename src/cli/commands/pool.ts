import type { Pool } from '../../gen/cinder/api/v3/pools.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import type { Row } from '../output.js';

const COLUMNS = ['Name'] as const;
const DETAILED_COLUMNS = [
  ...['Name', 'Protocol', 'Thick', 'Thin', 'Volumes', 'Capacity', 'Free', 'Allocated', 'Max Over Ratio', 'Oddities'],
] as const;
const MORE_COLUMNS = [...DETAILED_COLUMNS, 'Capabilities'] as const;

/** Adds `pool list`. */
export const addPoolCommands: AddTo = (pool, context) => {
  pool
    .command('list')
    .description('List the pools that the schedulers choose from (administrators)')
    .option('--detail', 'what each can do and holds; sizes in GiB', false)
    .option('--long', 'as --detail', false)
    .option('--name <pool>', 'only this one, host@backend#pool', '')
    .addHelpText(
      'after',
      examples('--roles admin pool list --detail', [
        '--roles admin pool list -c Name -c Capabilities -f json',
        'all that a backend reports',
      ]),
    )
    .action(onApi(context, listPools, { fields: { name: '--name' } }));
};

async function listPools(
  api: Api,
  { detail, long, name }: { readonly detail: boolean; readonly long: boolean; readonly name: string },
): Promise<void> {
  const isDetailed = detail || long || api.output.columns.some((column) => column.toLowerCase() !== 'name');
  const { pools } = await api.client.pools.listPools({ detail: isDetailed, name }, api.call);
  await api.printList(pools.map(poolRow), detail || long ? DETAILED_COLUMNS : COLUMNS, MORE_COLUMNS);
}

function poolRow({ name, capabilities: reported, oddities }: Pool): Row {
  const capabilities: Row = reported ?? {};
  return {
    Name: name,
    Protocol: capabilities['storage_protocol'],
    Thick: capabilities['thick_provisioning_support'],
    Thin: capabilities['thin_provisioning_support'],
    Volumes: capabilities['total_volumes'],
    Capacity: capabilities['total_capacity_gb'],
    Free: capabilities['free_capacity_gb'],
    Allocated: capabilities['allocated_capacity_gb'],
    'Max Over Ratio': capabilities['max_over_subscription_ratio'],
    Oddities: oddities.map(({ kind, text }) => `${kind}: ${text}`).join('; '),
    Capabilities: capabilities,
  };
}
