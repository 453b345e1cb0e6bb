import { Fault } from '../../errors/fault.js';
import type { RequestContext } from '../../objects/request-context.js';

/** Says who may do what. */
export interface Policy {
  /** `rule` is named as Cinder's, e.g. `volume:create`. Unknown rules: false. */
  allows(rule: string, context: RequestContext): boolean;
}

/** Throws Fault PolicyNotAuthorized unless the policy allows it. */
export function requireAllowed(policy: Policy, rule: string, context: RequestContext): void {
  if (!policy.allows(rule, context)) throw new Fault('PolicyNotAuthorized', { action: rule });
}
