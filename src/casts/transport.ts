import type { ReadyWorker } from '../db/worker-row.js';

/** What a peer said of one cast. */
export interface CastAnswer {
  readonly outcome: 'claimed' | 'superseded' | 'busy' | 'refused';
  /** With `refused`: e.g. `NOT_BUILT`. */
  readonly reason: string;
  /** With `refused`: a sentence for the log. */
  readonly message: string;
}

/** The way to the peers. */
export interface CastTransport {
  /**
   * Hands casts of one binary and one target to one living peer, in the form it understands; one answer for each.
   * Throws when no peer answers before the row may be sent by others (`SEND_LEASE_MS`).
   */
  deliver(casts: readonly ReadyWorker[], signal: AbortSignal): Promise<readonly CastAnswer[]>;
}
