import { Option } from 'commander';

import type { CleanedService } from '../../gen/cinder/api/v3/workers.js';
import type { Service } from '../../gen/cinder/api/v3/services.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import type { Row } from '../output.js';
import { UsageError } from '../parts.js';
import { addServiceVersions } from './service-versions.js';

const COLUMNS = ['Binary', 'Host', 'Zone', 'Status', 'State', 'Updated At'] as const;
const LONG_COLUMNS = [...COLUMNS, 'Disabled Reason', 'Cluster', 'RPC Version', 'Object Version', 'Frozen'] as const;
const FIELDS = { binary: '<binary>', host: '<host>', disabled_reason: '--disable-reason' };

const CLEANED_COLUMNS = ['ID', 'Binary', 'Host', 'Cluster', 'State'] as const;
const CLEANUP_FIELDS = {
  ...{ cluster_name: '--cluster', host: '--host', binary: '--service', service_id: '--service-id' },
  ...{ resource_id: '--resource', resource_type: '--resource-type' },
};

/** Adds `service list | set | cleanup | versions`. */
export const addServiceCommands: AddTo = (service, context) => {
  service
    .command('list')
    .description('List the scheduler and volume services (administrators)')
    .option('--long', 'more columns', false)
    .option('--host <host>', 'only those of this host, host or host@backend', '')
    .option('--service <binary>', 'only those of this binary, e.g. cinder-volume', '')
    .addHelpText('after', examples('--roles admin service list', '--roles admin service list --service cinder-volume'))
    .action(onApi(context, listServices, { fields: { ...FIELDS, binary: '--service', host: '--host' } }));

  service
    .command('set')
    .description('Keep new volumes away from a service, or let it have them again (administrators)')
    .argument('<host>', 'its host, as `service list` shows it')
    .argument('<binary>', 'cinder-volume or cinder-scheduler')
    .addOption(new Option('--enable', 'let it have new volumes').conflicts(['disable', 'disableReason']))
    .option('--disable', 'keep new volumes away; those it has are served as before')
    .option('--disable-reason <words>', 'why, for other administrators; with --disable')
    .addHelpText(
      'after',
      examples(
        ['--roles admin service set --disable --disable-reason "new disks" node1@file cinder-volume', ''],
        ['--roles admin service set --enable node1@file cinder-volume', ''],
      ),
    )
    .action(onApi(context, setService, { fields: FIELDS, changes: true }));

  service
    .command('cleanup')
    .description('Have the unfinished work of services begun anew (administrators)')
    .option('--host <host>', 'only of services of this host, as `service list` or `volume show` shows it')
    .option('--service <binary>', 'only of services of this binary, e.g. cinder-volume')
    .option('--cluster <name>', 'only of services of this cluster')
    .option('--service-id <id>', 'only of this service')
    .option('--up', 'of services that are up; without it, of services that are down')
    .addOption(new Option('--disabled', 'only of services that are disabled').conflicts('enabled'))
    .option('--enabled', 'only of services that are enabled')
    .option('--resource <id>', 'only the work on this resource')
    .option('--resource-type <type>', 'Volume or Snapshot')
    .addHelpText(
      'after',
      `${examples(
        ['--roles admin service cleanup --host node1@file --up', 'what hangs there is begun anew'],
        [
          '--roles admin service cleanup --up --resource 7a9c0c8e-0f6b-4d5c-9a31-6f1d6ba1c0f1',
          'the work on one volume',
        ],
      )}\n\nA volume service that is down does its work when it comes back: it is shown as unavailable.`,
    )
    .action(onApi(context, cleanUp, { fields: CLEANUP_FIELDS, changes: true }));

  addServiceVersions(service, context);
};

const NONE_UP = 'No service that is up fits: nothing is begun anew. See `service list`.';
const NONE_DOWN =
  'No service that is down fits: nothing is begun anew. Say --up for those that are up; see `service list`.';

/** What may be asked of a clean-up; what is absent narrows nothing. */
interface CleanupOptions {
  readonly host?: string;
  readonly service?: string;
  readonly cluster?: string;
  readonly serviceId?: string;
  readonly up?: boolean;
  readonly disabled?: boolean;
  readonly enabled?: boolean;
  readonly resource?: string;
  readonly resourceType?: string;
}

async function cleanUp(api: Api, options: CleanupOptions): Promise<void> {
  const { host, service: binary, cluster: clusterName, serviceId, up, resource: resourceId, resourceType } = options;
  const disabled = options.disabled ?? (options.enabled === true ? false : undefined);
  const request = { host, binary, clusterName, serviceId, isUp: up, disabled, resourceId, resourceType };
  const { cleaning, unavailable } = await api.client.workers.cleanupWorkers(request, api.call);
  const rows = [
    ...cleaning.map((service) => cleanedRow(service, 'cleaning')),
    ...unavailable.map((service) => cleanedRow(service, 'unavailable')),
  ];
  await api.printList(rows, CLEANED_COLUMNS, CLEANED_COLUMNS);
  if (rows.length === 0) api.progress.say(up === true ? NONE_UP : NONE_DOWN);
}

function cleanedRow({ id, binary, host, clusterName }: CleanedService, state: string): Row {
  return { ID: id, Binary: binary, Host: host, Cluster: clusterName, State: state };
}

async function listServices(
  api: Api,
  { long, host, service }: { readonly long: boolean; readonly host: string; readonly service: string },
): Promise<void> {
  const { services } = await api.client.services.listServices({ host, binary: service }, api.call);
  await api.printList(services.map(serviceRow), long ? LONG_COLUMNS : COLUMNS, LONG_COLUMNS);
}

async function setService(
  { client, call }: Api,
  host: string,
  binary: string,
  options: { readonly enable?: boolean; readonly disable?: boolean; readonly disableReason?: string },
): Promise<void> {
  if (options.enable) await client.services.enableService({ host, binary }, call);
  else if (options.disable) {
    await client.services.disableService({ host, binary, disabledReason: options.disableReason }, call);
  } else {
    throw new UsageError(
      options.disableReason === undefined ? 'Say --enable or --disable.' : '--disable-reason needs --disable.',
    );
  }
}

function serviceRow(service: Service): Row {
  return {
    Binary: service.binary,
    Host: service.host,
    Zone: service.availabilityZone,
    Status: service.disabled ? 'disabled' : 'enabled',
    State: service.state.replace('SERVICE_STATE_', '').toLowerCase(),
    'Updated At': service.updatedAt,
    'Disabled Reason': service.disabledReason,
    Cluster: service.cluster,
    'RPC Version': service.rpcVersion,
    'Object Version': service.objectVersion,
    Frozen: service.frozen,
  };
}
