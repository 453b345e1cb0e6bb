import type { Settlement } from '../../db/quota-settlements.js';
import type { UsageRecord, UsageTable } from '../../db/usage-records.js';
import { type UsageItem, UsageItemKind } from '../../gen/cinder/api/v3/quotas.js';
import { timeOf } from '../../objects/time-ordered-id.js';
import type { OpenItem } from '../../quota/open-items.js';
import type { Amounts } from '../../quota/resources.js';

/** Amounts by the names that users know. */
export type NamesOf = (amounts: Amounts) => Map<string, number>;

const KINDS: Readonly<Record<OpenItem['kind'], UsageItemKind>> = {
  reservation: UsageItemKind.RESERVATION,
  charge: UsageItemKind.CHARGE,
  hold: UsageItemKind.HOLD,
  release: UsageItemKind.RELEASE,
};

const TYPES: Readonly<Record<UsageTable, string>> = {
  volumes: 'volume',
  snapshots: 'snapshot',
  backups: 'backup',
  groups: 'group',
};

/** Something open, as the public API shows it; its settlement may be gone by now. */
export function openItemView(item: OpenItem, settlement: Settlement | undefined, namesOf: NamesOf): UsageItem {
  const createdAt = timeOf(item.id) ?? settlement?.createdAt;
  return {
    kind: KINDS[item.kind],
    id: item.id,
    resourceType: settlement?.resourceType.toLowerCase() ?? '',
    resourceId: settlement?.resourceId ?? '',
    state: item.word,
    inUse: namesOf(item.inUse),
    reserved: namesOf(item.reserved),
    requestId: item.note,
    createdAt: createdAt === undefined ? undefined : new Date(createdAt),
    expiresAt: item.expiresAt === undefined ? undefined : new Date(item.expiresAt),
  };
}

/** A record that counts, as the public API shows it. */
export function recordView(table: UsageTable, record: UsageRecord, amounts: Amounts, namesOf: NamesOf): UsageItem {
  return {
    kind: UsageItemKind.RECORD,
    id: record.id,
    resourceType: TYPES[table],
    resourceId: record.id,
    state: record.status,
    inUse: namesOf(amounts),
    reserved: new Map(),
    requestId: '',
    createdAt: new Date(record.createdAt),
    expiresAt: undefined,
  };
}
