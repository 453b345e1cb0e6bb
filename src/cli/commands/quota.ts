import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { addLimitOptions, LIMIT_FIELDS, limitRows, limitsIn, type LimitOptions } from '../limits.js';
import { CommandError } from '../parts.js';
import { addQuotaBooksCommands } from './quota-books.js';
import { addQuotaExplainCommand } from './quota-explain.js';
import { addQuotaClassCommands } from './quota-class.js';

const COLUMNS = ['Resource', 'Limit'] as const;
const USAGE_COLUMNS = [...COLUMNS, 'In Use', 'Reserved'] as const;

/** Adds `quota show | set | delete | defaults | check | sync | explain`, and `quota class`. */
export const addQuotaCommands: AddTo = (quota, context) => {
  quota
    .command('show')
    .description("Show a project's limits; -1 is no limit")
    .argument('[project]', "the project; else the caller's own")
    .option('--usage', 'with what is in use and reserved', false)
    .addHelpText('after', examples('quota show --usage', '--roles admin quota show demo'))
    .action(onApi(context, showQuota));

  addLimitOptions(
    quota
      .command('set')
      .description('Set limits of a project (administrators): all of them, or none when one is bad')
      .argument('<project>', 'the project'),
  )
    .addHelpText(
      'after',
      examples(
        ['--roles admin quota set --volumes 100 --gigabytes 5000 demo', ''],
        ['--roles admin quota set --volume-type fast --gigabytes 500 demo', 'of this type no more'],
      ),
    )
    .action(onApi(context, setQuota, { changes: true, fields: LIMIT_FIELDS }));

  quota
    .command('delete')
    .description("Take a project's own limits away (administrators): the defaults count again")
    .argument('<project>', 'the project')
    .addHelpText('after', examples('--roles admin quota delete demo'))
    .action(onApi(context, deleteQuota, { changes: true, fields: { project_id: '<project>' } }));

  quota
    .command('defaults')
    .description('Show the limits of projects that have none of their own')
    .addHelpText('after', examples('quota defaults'))
    .action(onApi(context, showDefaults));

  addQuotaBooksCommands(quota, context);
  addQuotaExplainCommand(quota, context);
  addQuotaClassCommands(quota, context);
};

async function showQuota(api: Api, projectId = '', { usage }: { readonly usage: boolean }): Promise<void> {
  const { quotaSet } = await api.client.quotas.getQuotaSet({ projectId, usage }, api.call);
  if (quotaSet === undefined) throw new CommandError('The API answered without a quota.');
  const rows = limitRows(quotaSet.limits).map((row) => {
    const used = quotaSet.usage.get(String(row['Resource']));
    return { ...row, 'In Use': used?.inUse, Reserved: used?.reserved };
  });
  await api.printList(rows, usage ? USAGE_COLUMNS : COLUMNS);
}

async function setQuota(api: Api, projectId: string, options: LimitOptions): Promise<void> {
  await api.client.quotas.updateQuotaSet({ projectId, limits: limitsIn(options) }, api.call);
}

async function deleteQuota(api: Api, projectId: string): Promise<void> {
  await api.client.quotas.deleteQuotaSet({ projectId }, api.call);
}

async function showDefaults(api: Api): Promise<void> {
  const { quotaSet } = await api.client.quotas.getDefaultQuotaSet({}, api.call);
  if (quotaSet === undefined) throw new CommandError('The API answered without a quota.');
  await api.printList(limitRows(quotaSet.limits), COLUMNS);
}
