import type { Check } from '../doctor/check.js';
import { claimCheck } from '../doctor/claims.js';
import { quotaCheck } from '../doctor/quota.js';
import { settlementCheck } from '../doctor/settlements.js';
import { storageCheck } from '../doctor/storage.js';
import { volumeCheck } from '../doctor/volumes.js';
import { workCheck } from '../doctor/work.js';
import type { RequestContext } from '../objects/request-context.js';
import { orUnavailable } from '../quota/or-unavailable.js';
import { deadlineIn } from '../time/deadline.js';
import { claimsOf } from './claims.js';
import type { Foundation } from './foundation.js';
import type { QuotaEngine } from './quota.js';

/** What a diagnosis of this installation compares, for a caller. */
export function checksOf(
  parts: Foundation,
  { redis, check, rebuild }: QuotaEngine,
): (context: RequestContext) => readonly Check[] {
  const { config, store, volume } = parts;
  const downAfterMs = config.serviceDownTimeMs;
  const patienceMs = config.apiFlowDeadlineMs;
  const claims = claimsOf(parts, redis);
  const common = { store, messageTtlMs: config.messageTtlMs, recount };
  return (context) => [
    workCheck({ ...common, downAfterMs }),
    volumeCheck({ ...common, context }),
    settlementCheck({ store, recount, flowDeadlineMs: config.apiFlowDeadlineMs }),
    storageCheck({ store, volumeServices: volume, context, downAfterMs, now: Date.now }),
    ...(claims
      ? [claimCheck({ store, claims, downAfterMs, reportIntervalMs: config.backendStatsPollingIntervalMs })]
      : []),
    quotaCheck({ store, check, patienceMs }),
  ];

  function recount(projectId: string, signal: AbortSignal): Promise<void> {
    return orUnavailable(rebuild.run(projectId, 'unknown', deadlineIn(patienceMs, signal)));
  }
}
