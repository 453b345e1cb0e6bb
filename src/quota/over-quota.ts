import type { Over } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import type { LimitOf } from './limits.js';
import { LIMIT_ONLY, toPublicName } from './resources.js';

/** What a request wanted more of. It decides the words, as in Cinder: an extension or a retype is about volumes. */
export type OverSubject = keyof typeof LIMIT_EXCEEDED;

/** What a request asked for, in its user's words. */
export interface AskedFor {
  readonly subject: OverSubject;
  /** Size in the request, GiB: not the delta. Of a group snapshot the sum. */
  readonly sizeGib: number;
  /** Type id → type name. */
  readonly typeNames: ReadonlyMap<string, string>;
}

const LIMIT_EXCEEDED = {
  volumes: 'VolumeLimitExceeded',
  snapshots: 'SnapshotLimitExceeded',
  backups: 'BackupLimitExceeded',
  groups: 'GroupLimitExceeded',
} as const;

/**
 * The fault a user sees when a reservation is over. The first match in alphabetical order of the public names decides, so
 * gigabytes come before volumes, and a type's name may mislead as it does in Cinder; every resource that is over is in the
 * facts. Rule: cinder/quota_utils.py, process_reserve_over_quota.
 */
export function overQuota(over: readonly Over[], { subject, sizeGib, typeNames }: AskedFor): Fault {
  const named = inPublic(over, typeNames);
  for (const one of named) {
    const { resource: name, limit } = one;
    if (name.includes('gigabytes')) {
      const fault = subject === 'backups' ? 'VolumeBackupSizeExceedsAvailableQuota' : 'VolumeSizeExceedsAvailableQuota';
      return new Fault(fault, { ...gigabytesOf(one, sizeGib), over: named });
    }
    if (name.includes(subject)) return new Fault(LIMIT_EXCEEDED[subject], { allowed: limit, name, over: named });
  }
  return new Fault('UnexpectedOverQuota', { name: named.map(({ resource }) => resource).join(', '), over: named });
}

/**
 * The fault of an extension: it always speaks of the project's gigabytes in all, whose figures the caller gives, even where
 * only those of the type are over; the facts say which. Rule: cinder/volume/api.py, `_extend`.
 */
export function overQuotaOfExtend(
  over: readonly Over[],
  asked: Omit<AskedFor, 'subject' | 'sizeGib'> & { readonly total: Omit<Over, 'resource'> },
): Fault {
  const total = { ...asked.total, resource: 'gigabytes' };
  const facts = { ...gigabytesOf(total, total.asked), over: inPublic(over, asked.typeNames) };
  return new Fault('VolumeSizeExceedsAvailableQuota', facts);
}

/** The fault for amounts beyond what the engine tracks; no limit of a project helps. */
export function overflow(over: readonly Over[], typeNames: ReadonlyMap<string, string>): Fault {
  return new Fault('QuotaUsageOverflow', { over: inPublic(over, typeNames) });
}

/**
 * Checks values against limits that are not counted; answers which are over, by name. Throws InvalidQuotaValue with all that
 * are negative, else QuotaResourceUnknown with all that are counted, or no resource at all.
 * Rule: cinder/quota.py, DbQuotaDriver.limit_check.
 */
export function limitCheck(values: Readonly<Record<string, number>>, limitOf: LimitOf): readonly Over[] {
  const entries = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = (those: typeof entries) => those.map(([name]) => name);
  const unders = entries.filter(([, value]) => value < 0);
  if (unders.length > 0) throw new Fault('InvalidQuotaValue', { unders: names(unders) });
  const unknown = entries.filter(([name]) => name !== LIMIT_ONLY);
  if (unknown.length > 0) throw new Fault('QuotaResourceUnknown', { unknown: names(unknown) });
  return entries
    .map(([resource, asked]) => ({ resource, limit: limitOf(resource), inUse: 0, reserved: 0, asked }))
    .filter(({ limit, asked }) => limit >= 0 && limit < asked);
}

/** Throws VolumeSizeExceedsLimit when one volume may not be so large. */
export function checkVolumeSize(sizeGib: number, limitOf: LimitOf): void {
  const over = limitCheck({ [LIMIT_ONLY]: sizeGib }, limitOf);
  if (over.length === 0) return;
  throw new Fault('VolumeSizeExceedsLimit', { size: sizeGib, limit: limitOf(LIMIT_ONLY), over });
}

function inPublic(over: readonly Over[], typeNames: ReadonlyMap<string, string>): readonly Over[] {
  return over
    .map((one) => ({ ...one, resource: toPublicName(one.resource, typeNames) }))
    .sort((a, b) => (a.resource < b.resource ? -1 : 1));
}

function gigabytesOf({ resource, limit, inUse, reserved }: Over, requested: number) {
  return { name: resource, requested, consumed: inUse + reserved, quota: limit };
}
