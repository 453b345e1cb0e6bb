import { Fault } from '../../errors/fault.js';
import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import { seesEverything } from '../../objects/request-context.js';
import { deadlineIn } from '../../redis/deadline.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { limitsOf, type QuotaSetParts, usageOf } from '../quota-sets.js';
import { projectOf } from '../project-scope.js';
import { Violations } from '../validation.js';

/** `Quotas/GetQuotaSet`. Throws InvalidInput, PolicyNotAuthorized for another project's quota, QuotaUnavailable. */
export function getQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.getQuotaSet> {
  return async (request, { context, deadline, signal }) => {
    const projectId = request.projectId || projectOf(context, 'name one in project_id');
    if (projectId !== context.projectId && !seesEverything(context)) {
      throw new Fault('PolicyNotAuthorized', { action: 'volume_extension:quotas:show' });
    }
    const bad = new Violations();
    bad.projectId('project_id', projectId);
    bad.check();
    if (!request.usage) return { quotaSet: await limitsOf(parts, projectId) };
    return { quotaSet: await usageOf(parts, projectId, deadlineIn(deadline - Date.now(), signal)) };
  };
}
