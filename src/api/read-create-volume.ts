import { CreateVolumeRequest, VolumesService } from '../gen/cinder/api/v3/volumes.js';
import { Fault } from '../errors/fault.js';
import { idempotencyKeyOf } from './idempotency-key.js';
import type { CreateVolume, IdempotencyKey } from './requests.js';
import { Violations } from './validation.js';

/** Pairs that a volume may have. */
export const MAX_METADATA_PAIRS = 128;
const MAX_HINT_IDS = 100;

/** What a volume may be made from; at most one of them. */
const SOURCES = ['snapshotId', 'sourceVolumeId', 'imageId', 'backupId'] as const;
/** Sources and memberships that this version cannot serve yet, by field. */
const NOT_BUILT = ['snapshotId', 'imageId', 'backupId', 'groupId'] as const;

/**
 * Reads a CreateVolume: every field checked, all violations in one Fault InvalidInput; Fault NotBuilt for a source that
 * cannot be used yet. Rule: cinder/api/schemas/volumes.py.
 */
export function readCreateVolume(request: CreateVolumeRequest): CreateVolume {
  const bad = new Violations();
  const sources = SOURCES.filter((field) => request[field] !== undefined);
  for (const field of [...sources, 'groupId'] as const) {
    if (request[field] !== undefined) bad.uuid(snake(field), request[field]);
  }
  const [, second] = sources;
  if (second) {
    bad.add(snake(second), 'at most one of snapshot_id, source_volume_id, image_id and backup_id may be given');
  }
  if (request.size === undefined) {
    if (sources.length === 0) bad.add('size', 'is required for a volume without a source');
  } else if (request.size <= 0) {
    bad.add('size', 'must be a number of GiB from 1 to 2147483647');
  }
  const name = request.name?.trim();
  const description = request.description?.trim();
  if (name !== undefined) bad.text('name', name, 0, 255);
  if (description !== undefined) bad.text('description', description, 0, 255, true);
  if (request.volumeType) bad.text('volume_type', request.volumeType, 1, 255);
  if (request.availabilityZone !== undefined) bad.text('availability_zone', request.availabilityZone, 1, 255);
  bad.metadata('metadata', request.metadata, MAX_METADATA_PAIRS);
  if (request.multiattach) bad.add('multiattach', 'cannot be asked for: it is a property of the volume type');
  const schedulerHints = readHints(request, bad);
  const idempotency = readIdempotencyKey(request, bad);
  bad.check();
  const unbuilt = NOT_BUILT.find((field) => request[field] !== undefined);
  if (unbuilt) throw new Fault('NotBuilt', { what: snake(unbuilt) });
  return {
    name: name ?? null,
    ...(request.size !== undefined && { sizeGib: request.size }),
    description: description ?? null,
    ...(request.volumeType && { volumeType: request.volumeType }),
    ...(request.availabilityZone !== undefined && { availabilityZone: request.availabilityZone }),
    ...(request.sourceVolumeId !== undefined && { sourceVolumeId: request.sourceVolumeId }),
    metadata: request.metadata,
    schedulerHints,
    ...(idempotency && { idempotency }),
  };
}

function readHints(request: CreateVolumeRequest, bad: Violations): ReadonlyMap<string, string> {
  const wire = request.schedulerHints;
  const hints = new Map<string, string>();
  if (!wire) return hints;
  for (const [name, ids] of [
    ['same_host', wire.sameHost],
    ['different_host', wire.differentHost],
  ] as const) {
    if (ids.length > MAX_HINT_IDS) bad.add(`scheduler_hints.${name}`, `must name at most ${MAX_HINT_IDS} volumes`);
    ids.slice(0, MAX_HINT_IDS).forEach((id, index) => {
      const field = `scheduler_hints.${name}[${index}]`;
      bad.uuid(field, id);
      if (ids.indexOf(id) < index) bad.add(field, 'must not be named twice');
    });
    if (ids.length > 0) hints.set(name, JSON.stringify(ids));
  }
  if (wire.localToInstance !== undefined) {
    bad.uuid('scheduler_hints.local_to_instance', wire.localToInstance);
    hints.set('local_to_instance', JSON.stringify(wire.localToInstance));
  }
  if (wire.query !== undefined) {
    bad.text('scheduler_hints.query', wire.query, 1, 4_096, true);
    hints.set('query', JSON.stringify(wire.query));
  }
  return hints;
}

function readIdempotencyKey(request: CreateVolumeRequest, bad: Violations): IdempotencyKey | undefined {
  if (request.idempotencyKey === undefined) return undefined;
  const { idempotencyKey, ...rest } = request;
  const plain = CreateVolumeRequest.encode({ ...rest, metadata: sorted(request.metadata) }).finish();
  return idempotencyKeyOf(VolumesService.createVolume, idempotencyKey, plain, bad);
}

/** Maps have no order on the wire; the hash needs one. */
function sorted(pairs: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function snake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
