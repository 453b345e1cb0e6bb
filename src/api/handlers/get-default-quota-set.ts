import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { defaultLimits, type QuotaSetParts } from '../quota-sets.js';

/** `Quotas/GetDefaultQuotaSet`. */
export function getDefaultQuotaSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.getDefaultQuotaSet> {
  return async () => ({ quotaSet: await defaultLimits(parts) });
}
