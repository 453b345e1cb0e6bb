import type { Step } from '../db/store.js';
import type { Claim } from './claim.js';

/** A piece of work was still waiting for its turn when the process was told to end: its row is given back, and does not count. */
export class NotBegun extends Error {
  override readonly name = 'NotBegun';

  constructor() {
    super('the work has not begun: this process stops');
  }
}

/** The work was not done, and that is no failure: its row is on its way again, to be done later or elsewhere. */
export type GivenBack = 'given_back';

/** What a service does with one method's casts. */
export interface CastHandler<Request = never> {
  /** Reads the arguments. What it throws ends the work: a payload that nobody can read is never tried twice. */
  readonly decode: (args: Uint8Array) => Request;
  /** Whether `run` waits for a turn of its own before it begins: then it says `begin` when it has it. @default it begins at once */
  readonly waits?: true;
  /**
   * Does the work and ends the row (finish or handOver) in its own transactions, and says so where it has given it back. Safe
   * to repeat by another owner at any point. `begin`: from here on the process may die of it, so that it counts; throws what ends the work without it. Throws
   * Fenced when the claim was lost, NotBegun for what this process will not begin, what the store throws when it is away:
   * then the row is given back; anything else it throws makes the engine apply `fail`.
   */
  readonly run: (
    claim: Claim,
    request: Request,
    signal: AbortSignal,
    begin: () => Promise<void>,
  ) => Promise<void> | Promise<GivenBack | undefined>;
  /** Ends the resource in its error status, with a user message and an event; the engine adds the fence and ends the row. */
  readonly fail: (claim: Claim, error: unknown) => readonly Step[];
}
