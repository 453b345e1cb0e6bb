import type { Claim } from '../casts/claim.js';
import { Fault } from '../errors/fault.js';
import type { Backend } from './backend.js';

/** The backends of this process, by `host@backend`. */
export interface BackendsOfProcess {
  find(name: string): Backend | undefined;
}

/** The backend that a claim is for. Throws NotMyBackend. */
export function backendFor(backends: BackendsOfProcess, { target }: Claim): Backend {
  const backend = target === null ? undefined : backends.find(target);
  if (!backend) throw new Fault('NotMyBackend', { target: target ?? '' });
  return backend;
}
