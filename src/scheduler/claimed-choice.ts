import type { ClaimId, Claims } from './claims.js';
import type { Attempt, Choice, FilterScheduler } from './filter-scheduler.js';

/** Next best pools a decision names, for claims that are lost: more than that are rarely lost in a row. */
const SPARES = 8;

export interface ClaimedChoiceParts {
  readonly scheduler: Pick<FilterScheduler, 'choose' | 'take' | 'release' | 'learn'>;
  /** Undefined: placements stand on what this scheduler alone knows. */
  readonly claims: Pick<Claims, 'claim'> | undefined;
}

/**
 * Chooses a pool and claims its room. A claim that is lost goes on to the next best pool of the same decision; after the
 * last of its spares the pools are asked anew, without those that were lost, until one is won or none is left.
 * Throws UnusableCapability; the signal's reason.
 */
export async function chooseClaimed(
  { scheduler, claims }: ClaimedChoiceParts,
  attempt: Attempt,
  id: ClaimId,
  signal: AbortSignal,
): Promise<Choice> {
  if (!claims) return scheduler.choose(attempt);
  const lost = new Set<string>();
  for (;;) {
    const choice = scheduler.choose(attempt, lost, SPARES);
    if ('refusal' in choice) return choice;
    let { placement } = choice;
    for (const [index, pool] of [choice.pool, ...choice.spares].entries()) {
      if (index > 0) placement = scheduler.take(attempt, pool);
      const outcome = await claims.claim(id, pool, attempt.sizeGib, attempt.request.isThin);
      if (outcome.answer === 'lost') scheduler.release(placement);
      if ('reportedAt' in outcome) scheduler.learn(pool.backendId, outcome.reportedAt, outcome.claimedGib);
      if (outcome.answer !== 'lost') return { ...choice, placement, pool };
      lost.add(pool.backendId);
      signal.throwIfAborted();
    }
  }
}
