import { deleteWorker, fenceWorker, giveBackWorker, handOverWorker } from '../db/worker-claims.js';
import type { HandOver, WorkerKey } from '../db/worker-row.js';
import { type Done, RowCountMismatch, type Step, type Store } from '../db/store.js';
import type { RequestContext } from '../objects/request-context.js';

/** The right to work on a resource: a row of `workers` that carries our name until somebody takes it over. */
export interface Claim extends WorkerKey {
  /** Our number in the row's line of owners. */
  readonly epoch: number;
  /** Our incarnation. */
  readonly owner: string;
  /** The backend that is meant, `host@backend`; null for a scheduler. */
  readonly target: string | null;
  readonly method: string;
  /** How often the work was begun, this time included once it is; not when its process ended in good order meanwhile. */
  readonly claims: number;
  /** Since the work was asked for, ms by the database's clock. */
  readonly ageMs: number;
  /** Whether another owner had begun it before us: its traces may be there. */
  readonly resumed: boolean;
  /** On whose behalf. */
  readonly context: RequestContext;
}

/** Somebody else owns the work now: stop, touch nothing, remove only what carries our epoch. */
export class Fenced extends Error {
  override readonly name = 'Fenced';

  constructor(claim: Claim) {
    super(`${claim.resourceType} ${claim.resourceId}: epoch ${claim.epoch} is over`);
  }
}

/** A step that ends the row, or our hold on it. It demands our row, and so is a fence itself. */
export interface EndOfWork extends Step {
  readonly endsWork: true;
}

/**
 * Writes `steps` in one transaction if the claim still holds; the row lock makes a take-over wait or win, never both. An end
 * of the work among the steps comes first, in the place of the fence.
 * Throws Fenced, or RowCountMismatch for a step of the unit. Rule: docs/protocols.md §W FENCE.
 */
export async function applyFenced(store: Store, claim: Claim, steps: readonly Step[]): Promise<readonly Done[]> {
  const end = steps.find(isEndOfWork);
  try {
    return await store.apply([end ?? fenceWorker(claim), ...steps.filter((step) => step !== end)]);
  } catch (error) {
    throw error instanceof RowCountMismatch && error.step === 0 ? new Fenced(claim) : error;
  }
}

function isEndOfWork(step: Step): step is EndOfWork {
  return 'endsWork' in step;
}

/** The work is done: the row goes, in the transaction that finishes the work. */
export function finish(claim: Claim): EndOfWork {
  return { endsWork: true, ...deleteWorker(claim) };
}

/** The work cannot be done now, and that is nobody's failure: the row is ready again after a rest, and this claim does not count. */
export function giveBack(claim: Claim, restMs: number): EndOfWork {
  return { endsWork: true, ...giveBackWorker(claim, restMs) };
}

/** The work goes on elsewhere: the row goes to another binary, in the transaction that says so in the record. */
export function handOver(claim: Claim, next: HandOver): EndOfWork {
  return { endsWork: true, ...handOverWorker(claim, next) };
}
