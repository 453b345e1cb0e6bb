import { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import type { CheckProjectsParts } from '../check-projects.js';
import { checkQuotas } from '../handlers/check-quotas.js';
import { deleteQuotaSet } from '../handlers/delete-quota-set.js';
import { explainUsage, type ExplainUsageParts } from '../handlers/explain-usage.js';
import { getDefaultQuotaSet } from '../handlers/get-default-quota-set.js';
import { getQuotaClassSet } from '../handlers/get-quota-class-set.js';
import { getQuotaSet } from '../handlers/get-quota-set.js';
import { syncQuotas } from '../handlers/sync-quotas.js';
import { updateQuotaClassSet } from '../handlers/update-quota-class-set.js';
import { updateQuotaSet } from '../handlers/update-quota-set.js';

/** `cinder.api.v3.Quotas`, rpc → handler. */
export function quotas(parts: ExplainUsageParts & CheckProjectsParts): PublicService {
  return publicService(QuotasService, {
    getQuotaSet: getQuotaSet(parts),
    getDefaultQuotaSet: getDefaultQuotaSet(parts),
    updateQuotaSet: updateQuotaSet(parts),
    deleteQuotaSet: deleteQuotaSet(parts),
    checkQuotas: checkQuotas(parts),
    syncQuotas: syncQuotas(parts),
    explainUsage: explainUsage(parts),
    getQuotaClassSet: getQuotaClassSet(parts),
    updateQuotaClassSet: updateQuotaClassSet(parts),
  });
}
