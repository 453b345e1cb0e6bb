import { applyFenced, type Claim, Fenced } from '../casts/claim.js';
import type { Store } from '../db/store.js';
import type { Work } from '../drivers/driver.js';
import { creationGoesOn } from './outcomes.js';

/** Shortest time between two reports of one piece of work, ms. */
const REPORT_INTERVAL_MS = 1_000;

export interface ProgressParts {
  readonly store: Store;
  /** A clock that only goes forward, ms. @default performance.now */
  readonly now?: () => number;
}

/**
 * Runs a driver's work on a volume and writes how far it is, for the watchers of every process: 0 at once, then what is more
 * than before, at most once a second; so at most 100 times, and no time at all for what takes none. 100 is left to the
 * transaction that ends the work. Each report is fenced: work that somebody else has taken over ends with Fenced.
 */
export async function withProgress(
  { store, now = () => performance.now() }: ProgressParts,
  claim: Claim,
  signal: AbortSignal,
  run: (work: Work) => Promise<void>,
): Promise<void> {
  const lost = new AbortController();
  let told = -1;
  let toldAt = -Infinity;
  let telling: Promise<void> | undefined;

  const tell = async (percent: number): Promise<void> => {
    try {
      await applyFenced(store, claim, creationGoesOn(claim, percent));
    } catch (error) {
      if (error instanceof Fenced) lost.abort(error);
      // else: how far it is may be missed; that it is done will be written patiently
    } finally {
      telling = undefined;
    }
  };
  const onProgress = (reported: number): void => {
    const percent = Math.floor(reported);
    if (telling || percent <= told || percent >= 100 || now() - toldAt < REPORT_INTERVAL_MS) return;
    told = percent;
    toldAt = now();
    telling = tell(percent);
  };
  try {
    await run({ signal: AbortSignal.any([signal, lost.signal]), onProgress });
  } finally {
    await telling; // nothing is written behind the back of what comes next
  }
  lost.signal.throwIfAborted();
}
