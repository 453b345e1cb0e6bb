import { Fault } from '../errors/fault.js';
import { type RequestContext, seesEverything } from '../objects/request-context.js';
import { projectOf } from './project-scope.js';
import { Violations } from './validation.js';

/**
 * The project whose quota is asked for: the caller's own, or for who sees everything any. Throws InvalidInput, InvalidScope,
 * PolicyNotAuthorized. Rule: cinder/policies/quotas.py, `show`.
 */
export function projectToShow(wanted: string, context: RequestContext): string {
  const projectId = wanted || projectOf(context, 'name one in project_id');
  if (projectId !== context.projectId && !seesEverything(context)) {
    throw new Fault('PolicyNotAuthorized', { action: 'volume_extension:quotas:show' });
  }
  const bad = new Violations();
  bad.projectId('project_id', projectId);
  bad.check();
  return projectId;
}
