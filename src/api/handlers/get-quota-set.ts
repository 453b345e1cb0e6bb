import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { deadlineIn } from '../../time/deadline.js';
import { projectToShow } from '../project-to-show.js';
import { limitsOf, type QuotaSetParts, usageOf } from '../quota-sets.js';

/** `Quotas/GetQuotaSet`. Throws InvalidInput, PolicyNotAuthorized for another project's quota, QuotaUnavailable. */
export function getQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.getQuotaSet> {
  return async (request, { context, deadline, signal }) => {
    const projectId = projectToShow(request.projectId, context);
    if (!request.usage) return { quotaSet: await limitsOf(parts, projectId) };
    return { quotaSet: await usageOf(parts, projectId, deadlineIn(deadline - Date.now(), signal)) };
  };
}
