import { Fault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';

/**
 * The caller's project. Throws InvalidScope for a caller of the system's scope, who has none; `otherwise` says what it may do
 * instead, e.g. `set all_projects`.
 */
export function projectOf({ projectId, systemScope }: RequestContext, otherwise?: string): string {
  if (!systemScope) return projectId;
  const needs = `this needs a token of a project${otherwise === undefined ? '' : `, or ${otherwise}`}`;
  throw new Fault('InvalidScope', { needs });
}
