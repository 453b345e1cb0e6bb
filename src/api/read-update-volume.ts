import type { VolumeChange } from '../db/volume-updates.js';
import { type UpdateVolumeRequest, VolumesService } from '../gen/cinder/api/v3/volumes.js';
import { checkRevision } from './change-volume.js';
import { idempotencyKeyOf } from './idempotency-key.js';
import { MAX_METADATA_PAIRS } from './read-create-volume.js';
import type { IdempotencyKey } from './requests.js';
import { Violations } from './validation.js';

/** A well-formed UpdateVolume. */
export interface UpdateVolume {
  readonly volumeId: string;
  readonly values: VolumeChange;
  /** Replaces all pairs; absent: they stay. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly revision: number | undefined;
  readonly idempotency: IdempotencyKey | undefined;
}

/** What may be changed, as in the mask. */
const FIELDS = ['name', 'description', 'metadata', 'bootable'] as const;

type Field = (typeof FIELDS)[number];

/** Reads an UpdateVolume. Throws InvalidInput with every bad field. Rule: AIP-134 and AIP-161. */
export function readUpdateVolume(request: UpdateVolumeRequest): UpdateVolume {
  const { volumeId, metadata, bootable = false, revision } = request;
  const bad = new Violations();
  bad.uuid('volume_id', volumeId);
  const changed = fieldsOf(request, bad);
  const [name, description] = [request.name?.trim(), request.description?.trim()];
  if (name !== undefined) bad.text('name', name, 0, 255);
  if (description !== undefined) bad.text('description', description, 0, 255, true);
  bad.metadata('metadata', metadata, MAX_METADATA_PAIRS);
  checkRevision(revision, bad);
  const idempotency = idempotencyKeyOf(
    VolumesService.updateVolume,
    request.idempotencyKey,
    parametersOf(request, changed),
    bad,
  );
  bad.check();
  return {
    ...{ volumeId, revision, idempotency },
    values: {
      ...(changed.has('name') && { name: name ?? null }),
      ...(changed.has('description') && { description: description ?? null }),
      ...(changed.has('bootable') && { bootable }),
    },
    ...(changed.has('metadata') && { metadata }),
  };
}

/** What is changed: what the mask names; without one, or with an empty one, what is there. */
function fieldsOf(request: UpdateVolumeRequest, bad: Violations): ReadonlySet<Field> {
  const { updateMask = [], metadata } = request;
  if (updateMask.length === 0) {
    const present = FIELDS.filter((field) => (field === 'metadata' ? metadata.size > 0 : request[field] !== undefined));
    if (present.length === 0) bad.add('update_mask', `must name something to change: ${FIELDS.join(', ')}`);
    return new Set(present);
  }
  if (updateMask.length === 1 && updateMask[0] === '*') return new Set(FIELDS);
  for (const path of updateMask) {
    if (isField(path)) continue;
    bad.add('update_mask', `${JSON.stringify(path.slice(0, 64))} is not one of ${FIELDS.join(', ')}, nor "*" alone`);
  }
  return new Set(updateMask.filter(isField));
}

function isField(path: string): path is Field {
  return (FIELDS as readonly string[]).includes(path);
}

/** The same change is the same text, however its mask says it. */
function parametersOf(request: UpdateVolumeRequest, changed: ReadonlySet<Field>): string {
  const { volumeId, revision = null, metadata } = request;
  const values = FIELDS.filter((field) => changed.has(field)).map((field) => [
    field,
    field === 'metadata' ? [...metadata].sort() : (request[field] ?? null),
  ]);
  return JSON.stringify([volumeId, revision, values]);
}
