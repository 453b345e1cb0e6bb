import type { Over } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import type { LimitOf } from './limits.js';
import { LIMIT_ONLY, toPublicName } from './resources.js';

/** What a request asked for, in its user's words. */
export interface AskedFor {
  /** Size in the request, GiB: not the delta. */
  readonly sizeGib: number;
  /** Type id → type name. */
  readonly typeNames: ReadonlyMap<string, string>;
}

/**
 * The fault a user sees when a reservation for volumes is over. The first match in alphabetical order of the public names
 * decides, so gigabytes come before volumes, and a type's name may mislead as it does in Cinder; every resource that is
 * over is in the facts. Rule: cinder/quota_utils.py, process_reserve_over_quota.
 */
export function overQuota(over: readonly Over[], { sizeGib, typeNames }: AskedFor): Fault {
  const named = over
    .map((one) => ({ ...one, resource: toPublicName(one.resource, typeNames) }))
    .sort((a, b) => (a.resource < b.resource ? -1 : 1));
  for (const { resource: name, limit, inUse, reserved } of named) {
    if (name.includes('gigabytes')) {
      const facts = { name, requested: sizeGib, consumed: inUse + reserved, quota: limit, over: named };
      return new Fault('VolumeSizeExceedsAvailableQuota', facts);
    }
    if (name.includes('volumes')) return new Fault('VolumeLimitExceeded', { allowed: limit, name, over: named });
  }
  return new Fault('UnexpectedOverQuota', { name: named.map(({ resource }) => resource).join(', '), over: named });
}

/** The fault for amounts beyond what the engine tracks; no limit of a project helps. */
export function overflow(over: readonly Over[], typeNames: ReadonlyMap<string, string>): Fault {
  const named = over.map((one) => ({ ...one, resource: toPublicName(one.resource, typeNames) }));
  return new Fault('QuotaUsageOverflow', { over: named });
}

/** How a check of limits ended; names in alphabetical order. */
export type LimitCheck =
  | { readonly answer: 'ok' }
  | { readonly answer: 'negative' | 'unknown'; readonly resources: readonly string[] }
  | { readonly answer: 'over'; readonly over: readonly Over[] };

/** Checks values against limits that are not counted. Rule: cinder/quota.py, DbQuotaDriver.limit_check. */
export function limitCheck(values: Readonly<Record<string, number>>, limitOf: LimitOf): LimitCheck {
  const entries = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = (those: typeof entries) => those.map(([name]) => name);
  const negative = entries.filter(([, value]) => value < 0);
  if (negative.length > 0) return { answer: 'negative', resources: names(negative) };
  const unknown = entries.filter(([name]) => name !== LIMIT_ONLY);
  if (unknown.length > 0) return { answer: 'unknown', resources: names(unknown) };
  const over = entries
    .map(([resource, asked]) => ({ resource, limit: limitOf(resource), inUse: 0, reserved: 0, asked }))
    .filter(({ limit, asked }) => limit >= 0 && limit < asked);
  return over.length > 0 ? { answer: 'over', over } : { answer: 'ok' };
}

/** Throws VolumeSizeExceedsLimit when one volume may not be so large. */
export function checkVolumeSize(sizeGib: number, limitOf: LimitOf): void {
  const check = limitCheck({ [LIMIT_ONLY]: sizeGib }, limitOf);
  if (check.answer !== 'over') return;
  throw new Fault('VolumeSizeExceedsLimit', { size: sizeGib, limit: limitOf(LIMIT_ONLY), over: check.over });
}
