import { upsertLimit } from '../../db/quota-limits.js';
import { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import { LIMIT_ONLY } from '../../quota/resources.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { deadlineIn, type Deadline } from '../../time/deadline.js';
import { setOnce } from '../idempotent.js';
import { limitsOf, type QuotaSetParts, resourceKeys, usageOf } from '../quota-sets.js';
import { limitsByKey, readLimits } from '../read-limits.js';
import { Violations } from '../validation.js';

/** `Quotas/UpdateQuotaSet`: all limits or none. Throws InvalidInput. Rule: cinder/api/contrib/quotas.py, `update`. */
export function updateQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.updateQuotaSet> {
  return async (request, { context, deadline, signal }) => {
    const { projectId, limits } = request;
    const keys = await resourceKeys(parts.store);
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    readLimits(limits, keys, bad);
    const now = async () => ({ quotaSet: await limitsOf(parts, projectId) });
    return setOnce(
      {
        store: parts.store,
        context,
        method: QuotasService.updateQuotaSet,
        request,
        bad,
      },
      async (taken) => {
        await checkUsage(parts, projectId, limits, deadlineIn(deadline - Date.now(), signal));
        const steps = limitsByKey(limits, keys).map(([key, limit]) => upsertLimit(projectId, key, limit));
        await parts.store.apply([...steps, ...taken]);
        parts.limits.forget(projectId);
        return now();
      },
      now,
    );
  };
}

/** No limit may be set below what is in use and reserved now. */
async function checkUsage(
  parts: QuotaSetParts,
  projectId: string,
  limits: ReadonlyMap<string, number>,
  deadline: Deadline,
): Promise<void> {
  const bad = new Violations();
  const { usage } = await usageOf(parts, projectId, deadline);
  for (const [name, limit] of limits) {
    const used = usage.get(name);
    const total = used ? used.inUse + used.reserved : 0;
    if (name !== LIMIT_ONLY && limit >= 0 && limit < total) {
      bad.add(`limits[${JSON.stringify(name)}]`, `must be at least ${total}, which is in use and reserved now, or -1`);
    }
  }
  bad.check();
}
