import { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { getQuotaSet } from '../handlers/get-quota-set.js';
import { updateQuotaSet } from '../handlers/update-quota-set.js';
import type { QuotaSetParts } from '../quota-sets.js';

/** `cinder.api.v3.Quotas`, rpc → handler. */
export function quotas(parts: QuotaSetParts): PublicService {
  return publicService(QuotasService, { getQuotaSet: getQuotaSet(parts), updateQuotaSet: updateQuotaSet(parts) });
}
