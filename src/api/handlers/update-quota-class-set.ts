import { upsertClassLimit } from '../../db/quota-limits.js';
import { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { setOnce } from '../idempotent.js';
import { classLimits, type QuotaSetParts, resourceKeys } from '../quota-sets.js';
import { limitsByKey, readLimits } from '../read-limits.js';
import { Violations } from '../validation.js';

/**
 * `Quotas/UpdateQuotaClassSet`: all limits or none; nobody's usage is asked, as a class is of many projects.
 * Throws InvalidInput. Rule: cinder/api/contrib/quota_classes.py, `update`.
 */
export function updateQuotaClassSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.updateQuotaClassSet> {
  return async (request, { context }) => {
    const { className, limits } = request;
    const keys = await resourceKeys(parts.store);
    const bad = new Violations();
    bad.text('class_name', className, 1, 255);
    readLimits(limits, keys, bad);
    const now = async () => ({ quotaClassSet: await classLimits(parts, className) });
    return setOnce(
      {
        store: parts.store,
        context,
        method: QuotasService.updateQuotaClassSet,
        request,
        bad,
      },
      async (taken) => {
        const steps = limitsByKey(limits, keys).map(([key, limit]) => upsertClassLimit(className, key, limit));
        await parts.store.apply([...steps, ...taken]);
        parts.limits.forgetAll();
        return now();
      },
      now,
    );
  };
}
