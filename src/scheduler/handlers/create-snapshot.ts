import type {
  CreateSnapshotRequest,
  ManageExistingSnapshotRequest,
  SchedulerManagerService,
} from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { VolumeProperties } from '../../gen/cinder/objects/v1/request_spec.js';
import { Fault } from '../../errors/fault.js';
import { requestSpecFromWire } from '../../rpc/objects-on-the-wire.js';
import type { InternalCall, InternalHandler } from '../../rpc/versioned-server.js';
import { decide, decided, undecide, wishAt } from '../decision.js';
import { withSize } from '../placement-request.js';
import { type AskingParts, propertiesOf, ready, required } from './asking.js';

/**
 * `CreateSnapshot`: the decision, then NotBuilt; the room goes back, for nothing will fill it. Throws NoValidBackend,
 * InvalidInput, UnusableCapability. Rule: cinder/scheduler/manager.py, `create_snapshot`.
 */
export function createSnapshot(parts: AskingParts): InternalHandler<typeof SchedulerManagerService.createSnapshot> {
  return (request, call) => takeIn(parts, request, request.backend, 'create_snapshot', call);
}

/** `ManageExistingSnapshot`, in the same way. Rule: cinder/scheduler/manager.py, `manage_existing_snapshot`. */
export function manageExistingSnapshot(
  parts: AskingParts,
): InternalHandler<typeof SchedulerManagerService.manageExistingSnapshot> {
  return (request, call) => takeIn(parts, request, '', 'manage_existing_snapshot', call);
}

/** A snapshot takes the room of its volume, at the volume's place. Without a spec, only room is asked for. */
async function takeIn(
  parts: AskingParts,
  request: CreateSnapshotRequest | ManageExistingSnapshotRequest,
  backend: string,
  operation: string,
  call: InternalCall,
): Promise<never> {
  const volume = required(request.volume, 'volume');
  const snapshotId = required(request.snapshot?.id, 'snapshot.id');
  const place = required(backend || volume.clusterName || volume.host, 'volume.host');
  const { requestSpec } = request;
  const volumeProperties = requestSpec?.volumeProperties ?? VolumeProperties.fromPartial({ size: volume.size });
  const asked = requestSpecFromWire({ availabilityZones: [], ...requestSpec, volumeProperties });
  const spec = { ...withSize(asked, volume.size), operation };
  await ready(parts, call);
  const filterProperties = propertiesOf(request.filterProperties);
  const surroundings = await parts.lookUp(call.context, filterProperties, call.signal);
  const zone = spec.volumeProperties.availabilityZone ?? '';
  const question = { spec, filterProperties, surroundings, request: { zone } };
  const wish = wishAt(question, place, { takesGib: spec.volumeProperties.sizeGib });
  const decision = await decide(parts, wish, { volumeId: snapshotId, epoch: 1 }, call.signal);
  decided(decision);
  await undecide(parts, decision);
  throw new Fault('NotBuilt', { what: operation });
}
