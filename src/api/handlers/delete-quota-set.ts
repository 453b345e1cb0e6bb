import { deleteLimits } from '../../db/quota-limits.js';
import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import type { QuotaSetParts } from '../quota-sets.js';
import { Violations } from '../validation.js';

/**
 * `Quotas/DeleteQuotaSet`: usage and reservations stay. Throws InvalidInput. Rule: cinder/api/contrib/quotas.py, `delete`.
 */
export function deleteQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.deleteQuotaSet> {
  return async ({ projectId }) => {
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    bad.check();
    await parts.store.apply([deleteLimits(projectId)]);
    parts.limits.forget(projectId);
    return {};
  };
}
