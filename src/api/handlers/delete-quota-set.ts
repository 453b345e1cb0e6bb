import { deleteLimits } from '../../db/quota-limits.js';
import { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { setOnce } from '../idempotent.js';
import type { QuotaSetParts } from '../quota-sets.js';
import { Violations } from '../validation.js';

/**
 * `Quotas/DeleteQuotaSet`: usage and reservations stay. Throws InvalidInput. Rule: cinder/api/contrib/quotas.py, `delete`.
 */
export function deleteQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.deleteQuotaSet> {
  return async (request, { context }) => {
    const { projectId } = request;
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    return setOnce(
      {
        store: parts.store,
        context,
        method: QuotasService.deleteQuotaSet,
        request,
        bad,
      },
      async (taken) => {
        await parts.store.apply([deleteLimits(projectId), ...taken]);
        parts.limits.forget(projectId);
        return {};
      },
      async () => ({}),
    );
  };
}
