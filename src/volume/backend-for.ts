import type { Claim } from '../casts/claim.js';
import { Fault } from '../errors/fault.js';
import type { Backend } from './backend.js';

/** The backends of this process, by `host@backend`. */
export interface BackendsOfProcess {
  find(name: string): Backend | undefined;
}

/** The backend that a claim is for. Throws NotMyBackend. */
export function backendFor(backends: BackendsOfProcess, { target }: Claim): Backend {
  return backendNamed(backends, target ?? '');
}

/** A backend by `host@backend`. Throws NotMyBackend. */
export function backendNamed(backends: BackendsOfProcess, name: string): Backend {
  const backend = backends.find(name);
  if (!backend) throw new Fault('NotMyBackend', { target: name });
  return backend;
}
