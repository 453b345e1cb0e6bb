import type { SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { requestSpecFromWire } from '../../rpc/objects-on-the-wire.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import { decideAt } from '../decision.js';
import { type AskingParts, propertiesOf, required } from './asking.js';

/**
 * `ValidateHostCapacity`: does not wait for reports. Throws InvalidInput, UnusableCapability.
 * Rule: cinder/scheduler/manager.py, `validate_host_capacity`.
 */
export function validateHostCapacity(
  parts: AskingParts,
): InternalHandler<typeof SchedulerManagerService.validateHostCapacity> {
  return async ({ backend, requestSpec, filterProperties: properties }, { context, signal }) => {
    const place = required(backend, 'backend');
    const spec = { ...requestSpecFromWire(required(requestSpec, 'request_spec')), operation: 'create_group' };
    const filterProperties = propertiesOf(properties);
    const surroundings = await parts.lookUp(context, filterProperties, signal);
    const question = { spec, filterProperties, surroundings };
    return { valid: 'pool' in decideAt(parts.scheduler, question, place, spec.volumeProperties.sizeGib) };
  };
}
