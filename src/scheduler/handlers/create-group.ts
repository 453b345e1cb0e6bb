import { VolumeProperties } from '../../gen/cinder/objects/v1/request_spec.js';
import type { SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { Fault } from '../../errors/fault.js';
import type { FilterProperties, RequestSpec } from '../../objects/request-spec.js';
import { requestSpecFromWire } from '../../rpc/objects-on-the-wire.js';
import type { InternalCall, InternalHandler } from '../../rpc/versioned-server.js';
import type { Candidate } from '../filter-scheduler.js';
import { poolForGroup } from '../placements.js';
import { type AskingParts, propertiesOf, ready, required } from './asking.js';

/**
 * `CreateGroup`: the decision, which takes no room, then NotBuilt. Throws NoValidBackend, InvalidInput,
 * UnusableCapability. Rule: cinder/scheduler/filter_scheduler.py, `_schedule_generic_group`.
 */
export function createGroup(parts: AskingParts): InternalHandler<typeof SchedulerManagerService.createGroup> {
  return async (request, call) => {
    required(request.group?.id, 'group.id');
    await ready(parts, call);
    const ofTypes: (readonly Candidate[])[] = [];
    for (const [index, wire] of request.requestSpecList.entries()) {
      const properties = propertiesOf(request.filterPropertiesList[index]);
      ofTypes.push(await candidates(parts, requestSpecFromWire(wire), properties, call));
    }
    // the specs of a group's type bind no pool
    const volumeProperties = request.groupSpec?.volumeProperties ?? VolumeProperties.create();
    const group = requestSpecFromWire({ availabilityZones: [], volumeProperties });
    const ofGroup = await candidates(parts, group, propertiesOf(request.groupFilterProperties), call);
    if (!poolForGroup(ofTypes, ofGroup)) {
      throw new Fault('NoValidBackend', { reason: 'No backend will do for the group and for all its volume types.' });
    }
    throw new Fault('NotBuilt', { what: 'create_group' });
  };
}

/** The pools that will do, best first; here, unlike for a single volume that exists, the zone binds. */
async function candidates(
  { scheduler, lookUp }: AskingParts,
  spec: RequestSpec,
  properties: FilterProperties,
  { context, signal }: InternalCall,
): Promise<readonly Candidate[]> {
  const surroundings = await lookUp(context, properties, signal);
  const { request } = scheduler.begin({ ...spec, operation: 'create_group' }, properties, surroundings);
  return scheduler.explain(request).candidates;
}
