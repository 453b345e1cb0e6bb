import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { deadlineIn } from '../../time/deadline.js';
import { checkProjects, type CheckProjectsParts } from '../check-projects.js';

/** `Quotas/CheckQuotas`. Throws InvalidInput, QuotaUnavailable. Rule: cinder/cmd/manage.py, `quota check`. */
export function checkQuotas(parts: CheckProjectsParts): PublicHandler<typeof QuotasService.checkQuotas> {
  return async (request, { deadline, signal }) =>
    checkProjects(parts, request, false, deadlineIn(deadline - Date.now(), signal));
}
