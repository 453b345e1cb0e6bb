import { findSettlements } from '../../db/quota-settlements.js';
import { listUsageRecords, USAGE_TABLES, type UsagePlace, type UsageTable } from '../../db/usage-records.js';
import { listVolumeTypeNames } from '../../db/volume-types.js';
import type { QuotasService, QuotaUsage, UsageItem } from '../../gen/cinder/api/v3/quotas.js';
import type { Books } from '../../quota/audit.js';
import type { QuotaCheck } from '../../quota/check.js';
import type { SnapshotOptions } from '../../quota/deltas/snapshot.js';
import { promisedIn } from '../../quota/differences.js';
import type { LimitOf } from '../../quota/limits.js';
import { openItems } from '../../quota/open-items.js';
import { recordAmounts } from '../../quota/record-amounts.js';
import { toPublicName } from '../../quota/resources.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { deadlineIn } from '../../time/deadline.js';
import type { PageTokens } from '../page-tokens.js';
import { projectToShow } from '../project-to-show.js';
import type { QuotaSetParts } from '../quota-sets.js';
import { Violations } from '../validation.js';
import { openItemView, recordView, type NamesOf } from '../views/usage-item-view.js';

export interface ExplainUsageParts extends QuotaSetParts {
  readonly check: QuotaCheck;
  readonly pages: PageTokens;
  /** How the installation counts snapshots. */
  readonly sums: SnapshotOptions;
}

/** What is listed, one after the other. */
const SECTIONS = ['open', ...USAGE_TABLES] as const;

type Section = (typeof SECTIONS)[number];

const START: UsagePlace = { createdAt: -1, id: '' };

/**
 * `Quotas/ExplainUsage`: what is open between the records and Redis, then the records that count. Throws InvalidInput,
 * PolicyNotAuthorized for another project's usage, QuotaUnavailable.
 */
export function explainUsage(parts: ExplainUsageParts): PublicHandler<typeof QuotasService.explainUsage> {
  return async (request, call) => {
    const projectId = projectToShow(request.projectId, call.context);
    const bad = new Violations();
    const size = bad.pageSize('page_size', request.pageSize);
    bad.check();
    const list = `usage:${projectId}`;
    const [section = 'open', createdAt = START.createdAt, id = START.id] =
      (parts.pages.openValues(list, request.pageToken) as [Section, number, string] | undefined) ?? [];
    const deadline = deadlineIn(call.deadline - Date.now(), call.signal);

    const namesOf = await publicNames(parts);
    const isFirst = request.pageToken === '';
    if (isFirst) await parts.quota.usage(projectId, ['volumes'], deadline); // gives back what is due
    const books = section === 'open' ? await parts.check.books(projectId, deadline) : undefined;
    const page = await readPage(size, { section, after: { createdAt, id } }, async (which, after, limit) =>
      which === 'open'
        ? openPage(parts, books, after, limit, namesOf)
        : recordPage(parts, which, { projectId, after, limit }, namesOf),
    );
    const none = new Map<string, QuotaUsage>();
    return {
      usage: isFirst && books ? usageIn(books, await parts.limits.of(projectId), namesOf) : none,
      items: page.items,
      nextPageToken: page.next
        ? parts.pages.signValues(list, [page.next.section, page.next.after.createdAt, page.next.after.id])
        : '',
    };
  };
}

/** An item, and where it stands in its section. */
interface Placed {
  readonly place: UsagePlace;
  readonly item: UsageItem;
}

interface Place {
  readonly section: Section;
  readonly after: UsagePlace;
}

/** Fills a page from one section after the other. */
async function readPage(
  size: number,
  from: Place,
  read: (section: Section, after: UsagePlace, limit: number) => Promise<readonly Placed[]>,
): Promise<{ readonly items: UsageItem[]; readonly next: Place | undefined }> {
  const items: UsageItem[] = [];
  for (const section of SECTIONS.slice(SECTIONS.indexOf(from.section))) {
    const after = section === from.section ? from.after : START;
    const missing = size - items.length;
    const found = await read(section, after, missing + 1);
    const taken = found.slice(0, missing);
    items.push(...taken.map(({ item }) => item));
    if (found.length > missing) return { items, next: { section, after: taken.at(-1)?.place ?? after } };
  }
  return { items, next: undefined };
}

async function openPage(
  { store }: ExplainUsageParts,
  books: Books | undefined,
  after: UsagePlace,
  limit: number,
  namesOf: NamesOf,
): Promise<readonly Placed[]> {
  const found = books ? openItems(books).filter(({ id }) => id > after.id) : [];
  const items = found.slice(0, limit);
  const settlements = await findSettlements(
    store,
    items.map(({ id }) => id),
  );
  const settlementOf = new Map(settlements.map((settlement) => [settlement.id, settlement]));
  return items.map((item) => ({
    place: { createdAt: 0, id: item.id },
    item: openItemView(item, settlementOf.get(item.id), namesOf),
  }));
}

async function recordPage(
  { store, sums }: ExplainUsageParts,
  table: UsageTable,
  which: Parameters<typeof listUsageRecords>[2],
  namesOf: NamesOf,
): Promise<readonly Placed[]> {
  const records = await listUsageRecords(store, table, which);
  return records.map((record) => ({
    place: { createdAt: record.createdAt, id: record.id },
    item: recordView(table, record, recordAmounts(table, record, sums), namesOf),
  }));
}

async function publicNames({ store }: QuotaSetParts): Promise<NamesOf> {
  const types = await listVolumeTypeNames(store);
  const names = new Map(types.map(({ id, name }) => [id, name]));
  return (amounts) => new Map(Object.entries(amounts).map(([key, amount]) => [toPublicName(key, names), amount]));
}

/** What Redis has, of the resources of which there is anything. */
function usageIn(books: Books, limitOf: LimitOf, namesOf: NamesOf): Map<string, QuotaUsage> {
  const promised = promisedIn(books);
  const keys = [...new Set([...books.inUse.keys(), ...promised.keys()])].sort();
  const usage = keys.flatMap((key): [string, QuotaUsage][] => {
    const [inUse, reserved] = [books.inUse.get(key) ?? 0, promised.get(key) ?? 0];
    const [name = key] = namesOf({ [key]: 0 }).keys();
    return inUse + reserved === 0 ? [] : [[name, { limit: limitOf(key), inUse, reserved }]];
  });
  return new Map(usage);
}
