import type { SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { requestSpecFromWire } from '../../rpc/objects-on-the-wire.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import { decide, wishAt } from '../decision.js';
import { type AskingParts, propertiesOf, required } from './asking.js';

/** Beside the two report periods of every claim: nobody says when the room was used, a report will show it. */
const HOLD_MS = 0;

/**
 * `ValidateHostCapacity`: does not wait for reports. The room stays taken until it can be in a report, in Redis for the group
 * that asks. Throws InvalidInput, UnusableCapability. Rule: cinder/scheduler/manager.py, `validate_host_capacity`.
 */
export function validateHostCapacity(
  parts: AskingParts,
): InternalHandler<typeof SchedulerManagerService.validateHostCapacity> {
  return async ({ backend, requestSpec, filterProperties: properties }, { context, signal }) => {
    const place = required(backend, 'backend');
    const spec = { ...requestSpecFromWire(required(requestSpec, 'request_spec')), operation: 'create_group' };
    const filterProperties = propertiesOf(properties);
    const surroundings = await parts.lookUp(context, filterProperties, signal);
    const room = { takesGib: spec.volumeProperties.sizeGib };
    const wish = wishAt({ spec, filterProperties, surroundings }, place, room, HOLD_MS);
    const id = { volumeId: spec.groupId ?? context.requestId, epoch: 1 };
    return { valid: 'pool' in (await decide(parts, wish, id, signal)) };
  };
}
