import { upsertLimit } from '../../db/quota-limits.js';
import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import { LIMIT_ONLY, MAX_AMOUNT } from '../../quota/resources.js';
import { deadlineIn, type Deadline } from '../../redis/deadline.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { limitsOf, type QuotaSetParts, resourceKeys, usageOf } from '../quota-sets.js';
import { Violations } from '../validation.js';

const MAX_LIMITS = 300;

/** `Quotas/UpdateQuotaSet`: all limits or none. Throws InvalidInput. Rule: cinder/api/contrib/quotas.py, `update`. */
export function updateQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.updateQuotaSet> {
  return async ({ projectId, limits }, { deadline, signal }) => {
    const keys = await resourceKeys(parts.store);
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    if (limits.size === 0) bad.add('limits', 'must name at least one resource');
    if (limits.size > MAX_LIMITS) bad.add('limits', `must name at most ${MAX_LIMITS} resources`);
    for (const [name, limit] of limits) {
      const field = `limits[${JSON.stringify(name.slice(0, 64))}]`;
      if (!keys.has(name)) bad.add(field, 'is not a resource');
      else if (limit < -1) bad.add(field, `must be -1 (no limit) to ${MAX_AMOUNT}`);
    }
    bad.check();
    await checkUsage(parts, projectId, limits, deadlineIn(deadline - Date.now(), signal));
    await parts.store.apply([...limits].map(([name, limit]) => upsertLimit(projectId, keys.get(name) ?? name, limit)));
    parts.limits.forget(projectId);
    return { quotaSet: await limitsOf(parts, projectId) };
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
