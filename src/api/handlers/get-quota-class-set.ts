import type { QuotasService } from '../../gen/cinder/api/v3/quotas.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { classLimits, type QuotaSetParts } from '../quota-sets.js';
import { Violations } from '../validation.js';

/** `Quotas/GetQuotaClassSet`. Throws InvalidInput. */
export function getQuotaClassSet(parts: QuotaSetParts): PublicHandler<typeof QuotasService.getQuotaClassSet> {
  return async ({ className }) => {
    const bad = new Violations();
    bad.text('class_name', className, 1, 255);
    bad.check();
    return { quotaClassSet: await classLimits(parts, className) };
  };
}
