import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { deadlineIn } from '../../time/deadline.js';
import { checkProjects, type CheckProjectsParts } from '../check-projects.js';

/** `Quotas/SyncQuotas`. Throws InvalidInput, QuotaUnavailable. Rule: cinder/cmd/manage.py, `quota sync`. */
export function syncQuotas(parts: CheckProjectsParts): PublicHandler<typeof QuotasService.syncQuotas> {
  return async (request, { deadline, signal }) =>
    checkProjects(parts, request, !request.dryRun, deadlineIn(deadline - Date.now(), signal));
}
