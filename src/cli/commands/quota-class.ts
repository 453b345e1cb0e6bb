import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { addLimitOptions, LIMIT_FIELDS, limitRows, limitsIn, type LimitOptions } from '../limits.js';
import { CommandError } from '../parts.js';

const FIELDS = { ...LIMIT_FIELDS, class_name: '<class>' };

/** Adds `quota class show | set`. */
export const addQuotaClassCommands: AddTo = (quota, context) => {
  const quotaClass = quota.command('class').description('Limits for many projects; the class default is for all');

  quotaClass
    .command('show')
    .description("Show a class's limits (administrators); -1 is no limit")
    .argument('[class]', 'the class', 'default')
    .addHelpText('after', examples('--roles admin quota class show'))
    .action(onApi(context, showClass, { fields: FIELDS }));

  addLimitOptions(
    quotaClass
      .command('set')
      .description('Set limits of a class (administrators): all of them, or none when one is bad')
      .argument('<class>', 'the class; default: every project without limits of its own'),
  )
    .addHelpText('after', examples('--roles admin quota class set --volumes 20 --gigabytes 2000 default'))
    .action(onApi(context, setClass, { changes: true, fields: FIELDS }));
};

async function showClass(api: Api, className: string): Promise<void> {
  const { quotaClassSet } = await api.client.quotas.getQuotaClassSet({ className }, api.call);
  if (quotaClassSet === undefined) throw new CommandError('The API answered without a quota class.');
  await api.printList(limitRows(quotaClassSet.limits), ['Resource', 'Limit']);
}

async function setClass(api: Api, className: string, options: LimitOptions): Promise<void> {
  await api.client.quotas.updateQuotaClassSet({ className, limits: limitsIn(options) }, api.call);
}
