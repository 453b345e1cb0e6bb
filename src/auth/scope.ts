import { Fault } from '../errors/fault.js';
import { SYSTEM_SCOPE } from '../rpc/headers.js';
import type { Headers } from '../rpc/interceptors/authenticate.js';

/** Whether the caller wants to act on the installation instead of in a project. Throws NotAuthenticated for another scope. */
export function asksForSystem(headers: Headers): boolean {
  const scope = headers(SYSTEM_SCOPE);
  if (scope === undefined) return false;
  if (scope === 'all') return true;
  throw new Fault('NotAuthenticated', { reason: `The metadata '${SYSTEM_SCOPE}' knows 'all' only.` });
}
