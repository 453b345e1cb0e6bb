import type { Store } from '../db/store.js';
import { backendsToLookAt } from '../doctor/backends.js';
import { claimsWithoutWork } from '../doctor/claims.js';
import type { Log } from '../log/log.js';
import { type Rounds, rounds } from '../time/rounds.js';
import type { Claims } from './claims.js';

/** Report periods after which no report will say any more what has become of a claim. */
const REPORTS = 2;
/** How long a round waits in all for a Redis that does not answer, ms. */
const MOST_SILENT_MS = 3_000;

export interface ClaimSweepOptions {
  readonly store: Store;
  readonly claims: Pick<Claims, 'list' | 'release'>;
  /** `backend_stats_polling_interval`, ms: between two reports of a backend, and between two rounds. */
  readonly reportIntervalMs: number;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/**
 * Ends the claims of those who died before they could: a scheduler between the claim and the record, a volume service between
 * the work and the report that includes it. Without it their room stays unsold until their deadlines. Every scheduler does
 * it; what another has ended is ended. Rule: docs/adr/0009-capacity-claims.md.
 */
export function sweepClaims(options: ClaimSweepOptions): Rounds {
  return rounds({
    intervalMs: options.reportIntervalMs,
    round: () => once(options),
    onError: (error) => options.log.warn('claims of nobody cannot be looked for', { error }),
  });
}

async function once({ store, claims, reportIntervalMs, downAfterMs, log }: ClaimSweepOptions): Promise<boolean> {
  let silentMs = 0;
  for (const backend of await backendsToLookAt(store, downAfterMs)) {
    const askedAt = performance.now();
    const book = await claims.list(backend);
    if (!book) {
      // what cannot be read is of this backend alone and said at once; where nobody answers, nobody waits for every backend
      silentMs += performance.now() - askedAt;
      if (silentMs > MOST_SILENT_MS) return false;
      continue;
    }
    const stale = await claimsWithoutWork(store, book.claims, REPORTS * reportIntervalMs);
    for (const claim of stale) await claims.release(claim, backend);
    if (stale.length > 0) log.info('ended claims that nobody is at work for', { backend, claimCount: stale.length });
  }
  return false;
}
