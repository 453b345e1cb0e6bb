import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { CommandError, UsageError } from '../parts.js';
import { limit, limitPair } from '../values.js';

const COLUMNS = ['Resource', 'Limit'] as const;
const USAGE_COLUMNS = [...COLUMNS, 'In Use', 'Reserved'] as const;

interface SetOptions {
  readonly volumes?: number;
  readonly gigabytes?: number;
  readonly perVolumeGigabytes?: number;
  readonly volumeType?: string;
  readonly limit: ReadonlyMap<string, number>;
}

/** Adds `quota show | set`. */
export const addQuotaCommands: AddTo = (quota, context) => {
  quota
    .command('show')
    .description("Show a project's limits; -1 is no limit")
    .argument('[project]', "the project; else the caller's own")
    .option('--usage', 'with what is in use and reserved', false)
    .addHelpText('after', examples('quota show --usage', '--roles admin quota show demo'))
    .action(onApi(context, showQuota));

  quota
    .command('set')
    .description('Set limits of a project (administrators): all of them, or none when one is bad')
    .argument('<project>', 'the project')
    .option('--volumes <limit>', 'how many volumes, -1 for any number', limit)
    .option('--gigabytes <limit>', 'their sizes together, GiB', limit)
    .option('--per-volume-gigabytes <limit>', 'the size of one volume, GiB', limit)
    .option('--volume-type <name>', '--volumes and --gigabytes are for volumes of this type')
    .option('--limit <resource=limit>', 'any other resource, by name (repeat for more)', limitPair, new Map())
    .addHelpText(
      'after',
      examples(
        ['--roles admin quota set --volumes 100 --gigabytes 5000 demo', ''],
        ['--roles admin quota set --volume-type fast --gigabytes 500 demo', 'of this type no more'],
      ),
    )
    .action(
      onApi(context, setQuota, {
        changes: true,
        fields: {
          limits: '--limit',
          'limits["volumes"]': '--volumes',
          'limits["gigabytes"]': '--gigabytes',
          'limits["per_volume_gigabytes"]': '--per-volume-gigabytes',
        },
      }),
    );
};

async function showQuota(api: Api, projectId = '', { usage }: { readonly usage: boolean }): Promise<void> {
  const { quotaSet } = await api.client.quotas.getQuotaSet({ projectId, usage }, api.call);
  if (quotaSet === undefined) throw new CommandError('The API answered without a quota.');
  const rows = [...quotaSet.limits].map(([resource, each]) => {
    const used = quotaSet.usage.get(resource);
    return { Resource: resource, Limit: each, 'In Use': used?.inUse, Reserved: used?.reserved };
  });
  await api.printList(rows, usage ? USAGE_COLUMNS : COLUMNS);
}

async function setQuota(api: Api, projectId: string, options: SetOptions): Promise<void> {
  const limits = limitsOf(options);
  if (limits.size === 0) {
    throw new UsageError('Say what to set: --volumes, --gigabytes, --per-volume-gigabytes or --limit.');
  }
  await api.client.quotas.updateQuotaSet({ projectId, limits }, api.call);
}

function limitsOf({
  volumes,
  gigabytes,
  perVolumeGigabytes,
  volumeType,
  limit: others,
}: SetOptions): Map<string, number> {
  if (volumeType !== undefined && volumes === undefined && gigabytes === undefined) {
    throw new UsageError('--volume-type needs --volumes or --gigabytes.');
  }
  const ofType = volumeType === undefined ? '' : `_${volumeType}`;
  const named = {
    [`volumes${ofType}`]: volumes,
    [`gigabytes${ofType}`]: gigabytes,
    per_volume_gigabytes: perVolumeGigabytes,
  };
  const given = Object.entries(named).flatMap(([resource, value]) =>
    value === undefined ? [] : [[resource, value] as const],
  );
  return new Map([...others, ...given]);
}
