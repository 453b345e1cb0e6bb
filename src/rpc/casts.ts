import type { RequestContext } from '../objects/request-context.js';
import type { ResourceType } from './versions.js';

/** A durable cast as it arrives, by `Casts/Deliver` or as a single RPC, its version and method already checked. */
export interface IncomingCast {
  readonly resourceType: ResourceType;
  readonly resourceId: string;
  /** The row's epoch when it was sent; undefined: a single RPC whose sender did not say. */
  readonly epoch: number | undefined;
  /** The RPC's name, e.g. `CreateVolume`. */
  readonly method: string;
  /** Version the arguments were written for. */
  readonly version: string;
  /** `host@backend`; empty: any process of the binary. */
  readonly target: string;
  /** The encoded request message. */
  readonly args: Buffer;
  readonly context: RequestContext;
}

/** What became of a cast. */
export interface CastOutcome {
  readonly outcome: 'claimed' | 'superseded' | 'busy' | 'refused';
  /** With `refused`: as in `google.rpc.ErrorInfo`, e.g. `NOT_BUILT`; else empty. */
  readonly reason: string;
  /** With `refused`: a sentence for the log; else empty. */
  readonly message: string;
}

export const CLAIMED: CastOutcome = { outcome: 'claimed', reason: '', message: '' };
export const SUPERSEDED: CastOutcome = { outcome: 'superseded', reason: '', message: '' };
export const BUSY: CastOutcome = { outcome: 'busy', reason: '', message: '' };

/** Makes casts its own, durably, before it answers. */
export interface CastDispatcher {
  /** One outcome for each cast, in their order. */
  deliver(casts: readonly IncomingCast[]): Promise<readonly CastOutcome[]>;
}

/** Most casts in one `Casts/Deliver`. */
export const MAX_CASTS = 64;
