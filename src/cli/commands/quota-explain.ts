import { type UsageItem, UsageItemKind } from '../../gen/cinder/api/v3/quotas.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import type { Row } from '../output.js';
import { NO_LIMIT, upTo } from '../pages.js';
import { count } from '../values.js';

const COLUMNS = ['Kind', 'Resource', 'State', 'In Use', 'Reserved', 'Request ID', 'Until'] as const;
const MORE_COLUMNS = [...COLUMNS, 'ID', 'Resource Type', 'Created At'] as const;

/** Adds `quota explain`. */
export const addQuotaExplainCommand: AddTo = (quota, context) => {
  quota
    .command('explain')
    .description('List what the usage of a project is made of: requests under way first, then its records')
    .argument('[project]', "the project; else the caller's own")
    .option('--limit <count>', 'at most so many [default: all]', count, NO_LIMIT)
    .addHelpText(
      'after',
      examples('quota explain', ['--roles admin quota explain demo -f json -c Kind -c "In Use"', 'for programs']),
    )
    .action(onApi(context, explainUsage, { fields: { page_size: '--limit' } }));
};

async function explainUsage(api: Api, projectId = '', { limit }: { readonly limit: number }): Promise<void> {
  const items = await upTo(limit, async (pageSize, pageToken) => {
    const page = await api.client.quotas.explainUsage({ projectId, pageSize, pageToken }, api.call);
    return { items: page.items, nextPageToken: page.nextPageToken };
  });
  await api.printList(items.map(itemRow), COLUMNS, MORE_COLUMNS);
}

function itemRow(item: UsageItem): Row {
  const what = item.kind === UsageItemKind.RECORD ? item.resourceType : item.kind.replace(/^.*KIND_/, '').toLowerCase();
  return {
    Kind: what,
    Resource: item.resourceId || undefined,
    State: item.state,
    'In Use': Object.fromEntries(item.inUse),
    Reserved: Object.fromEntries(item.reserved),
    'Request ID': item.requestId || undefined,
    Until: item.expiresAt,
    ID: item.id,
    'Resource Type': item.resourceType || undefined,
    'Created At': item.createdAt,
  };
}
