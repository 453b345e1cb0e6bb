import type { Check } from '../doctor/check.js';
import { settlementCheck } from '../doctor/settlements.js';
import { storageCheck } from '../doctor/storage.js';
import { volumeCheck } from '../doctor/volumes.js';
import { workCheck } from '../doctor/work.js';
import { Fault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';
import { NoAnswer } from '../redis/connection.js';
import { deadlineIn } from '../redis/deadline.js';
import type { Foundation } from './foundation.js';
import type { QuotaEngine } from './quota.js';

/** What a diagnosis of this installation compares, for a caller. */
export function checksOf(
  { config, store, volume }: Foundation,
  { rebuild }: QuotaEngine,
): (context: RequestContext) => readonly Check[] {
  const common = { store, messageTtlMs: config.messageTtlMs, recount };
  return (context) => [
    workCheck({ ...common, downAfterMs: config.serviceDownTimeMs }),
    volumeCheck({ ...common, context }),
    settlementCheck({ store, flowDeadlineMs: config.apiFlowDeadlineMs }),
    storageCheck({ store, volumeServices: volume, context, downAfterMs: config.serviceDownTimeMs, now: Date.now }),
  ];

  async function recount(projectId: string, signal: AbortSignal): Promise<void> {
    try {
      await rebuild.run(projectId, 'unknown', deadlineIn(config.apiFlowDeadlineMs, signal));
    } catch (error) {
      if (error instanceof NoAnswer) throw new Fault('QuotaUnavailable', { reason: error.message }, { cause: error });
      throw error;
    }
  }
}
