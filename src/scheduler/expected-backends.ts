import { backendOf } from '../objects/backend-name.js';

/** A backend that administrators let have new volumes, and that is down or has stopped. */
export interface AwayBackend {
  /** `host@backend`, or `cluster@backend`. */
  readonly key: string;
  /** Since its last heartbeat, ms. */
  readonly silentMs: number;
}

export interface ExpectedBackendsParts {
  /** Enabled backends that are not up. */
  readonly away: () => readonly AwayBackend[];
  /** Backends that are up and have not reported to this scheduler, by key. */
  readonly silent: () => ReadonlySet<string>;
  /** Who went away less long ago is taken for one that is being restarted, ms. */
  readonly restartMs: number;
  /** Age up to which a volume waits for the one backend that it has to be on, and for any, ms. */
  readonly patienceMs: number;
}

/** What found no pool. */
export interface Unplaced {
  /** Since it was asked for, ms. */
  readonly ageMs: number;
  /** The backend or pool that the volume has to be on; null: any will do. */
  readonly boundTo: string | null;
  /** Backends and pools that were tried. */
  readonly tried: readonly string[];
}

/** Whether somebody who may take the volume is expected back soon: then it rests, instead of being refused. */
export type IsExpected = (unplaced: Unplaced) => boolean;

/** Age up to which a volume waits for the first report of a backend that is up. */
const REPORT_PATIENCE_MS = 60_000;

/**
 * Cinder refuses a volume whose backend is being restarted just then. Here it waits for whom it may go to: for a first
 * report, for a backend that went away a moment ago, and for the one backend that a clone has to be on.
 */
export function expectedBackends({ away, silent, restartMs, patienceMs }: ExpectedBackendsParts): IsExpected {
  return ({ ageMs, boundTo, tried }) => {
    if (ageMs >= patienceMs) return false;
    const excluded = new Set(tried.map(backendOf));
    const mayTake = (key: string): boolean => (boundTo ? key === backendOf(boundTo) : !excluded.has(key));
    if (ageMs < REPORT_PATIENCE_MS && [...silent()].some(mayTake)) return true;
    return away().some(({ key, silentMs }) => mayTake(key) && (Boolean(boundTo) || silentMs < restartMs));
  };
}
