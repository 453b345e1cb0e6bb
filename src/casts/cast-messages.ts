import { CreateVolumeRequest as ScheduleCreateVolume } from '../gen/cinder/scheduler/v3/scheduler_manager.js';
import {
  CreateVolumeRequest as MakeVolume,
  DeleteVolumeRequest as DestroyVolume,
} from '../gen/cinder/volume/v3/volume_manager.js';
import type { CastMessage } from '../db/worker-row.js';
import type { FilterProperties, RequestSpec } from '../objects/request-spec.js';
import type { Volume } from '../objects/volume.js';
import {
  filterPropertiesFromWire,
  filterPropertiesToWire,
  requestSpecFromWire,
  requestSpecToWire,
  volumeFromWire,
  volumeToWire,
} from '../rpc/objects-on-the-wire.js';

/** How a process says what it hands over. */
export interface OwnWords {
  /** Puts a message into the words of this process, which may run as an older version. @default it is the newest */
  readonly inOwnWords?: (message: CastMessage) => CastMessage;
}

/** A message in the words of who hands it over. */
export function worded({ inOwnWords }: OwnWords, message: CastMessage): CastMessage {
  return inOwnWords ? inOwnWords(message) : message;
}

/** What the scheduler gets to place a volume. Rule: cinder/scheduler/rpcapi.py, `create_volume`. */
export interface CreateVolumeOnScheduler {
  readonly volume: Volume;
  readonly requestSpec?: RequestSpec;
  readonly filterProperties: FilterProperties;
}

/** What a volume service gets to make a volume. Rule: cinder/volume/rpcapi.py, `create_volume`. */
export interface CreateVolumeOnVolume extends CreateVolumeOnScheduler {
  readonly allowReschedule: boolean;
}

/** What a volume service gets to destroy a volume. Rule: cinder/volume/rpcapi.py, `delete_volume`. */
export interface DeleteVolumeOnVolume {
  readonly volume: Volume;
  readonly unmanageOnly: boolean;
  readonly cascade: boolean;
}

export function createVolumeOnScheduler(cast: CreateVolumeOnScheduler): CastMessage {
  const backupId = cast.requestSpec?.backupId;
  const message: ScheduleCreateVolume = {
    volume: volumeToWire(cast.volume),
    requestSpec: cast.requestSpec && requestSpecToWire(cast.requestSpec),
    filterProperties: filterPropertiesToWire(cast.filterProperties),
    snapshotId: cast.requestSpec?.snapshotId,
    imageId: cast.requestSpec?.imageId,
    backupId,
  };
  return {
    binary: 'cinder-scheduler',
    method: 'CreateVolume',
    payload: bytes(ScheduleCreateVolume.encode(message).finish()),
    payloadVersion: backupId === undefined ? '3.0' : '3.10',
  };
}

export function readCreateVolumeOnScheduler(args: Uint8Array): CreateVolumeOnScheduler {
  const message = ScheduleCreateVolume.decode(args);
  return common(message);
}

export function createVolumeOnVolume(cast: CreateVolumeOnVolume): CastMessage {
  const message: MakeVolume = {
    volume: volumeToWire(cast.volume),
    requestSpec: cast.requestSpec && requestSpecToWire(cast.requestSpec),
    filterProperties: filterPropertiesToWire(cast.filterProperties),
    allowReschedule: cast.allowReschedule,
  };
  return {
    binary: 'cinder-volume',
    method: 'CreateVolume',
    payload: bytes(MakeVolume.encode(message).finish()),
    payloadVersion: '3.0',
  };
}

export function readCreateVolumeOnVolume(args: Uint8Array): CreateVolumeOnVolume {
  const message = MakeVolume.decode(args);
  return { allowReschedule: message.allowReschedule ?? true, ...common(message) };
}

export function deleteVolumeOnVolume(cast: DeleteVolumeOnVolume): CastMessage {
  const message: DestroyVolume = {
    volume: volumeToWire(cast.volume),
    unmanageOnly: cast.unmanageOnly,
    cascade: cast.cascade,
  };
  return {
    binary: 'cinder-volume',
    method: 'DeleteVolume',
    payload: bytes(DestroyVolume.encode(message).finish()),
    payloadVersion: '3.0',
  };
}

export function readDeleteVolumeOnVolume(args: Uint8Array): DeleteVolumeOnVolume {
  const message = DestroyVolume.decode(args);
  return { volume: volumeOf(message), unmanageOnly: message.unmanageOnly, cascade: message.cascade };
}

/** What every scheduler's message about a volume carries. Throws when there is no volume. */
export function common(
  message: Pick<MakeVolume, 'volume' | 'requestSpec' | 'filterProperties'>,
): CreateVolumeOnScheduler {
  const filterProperties = message.filterProperties && filterPropertiesFromWire(message.filterProperties);
  return {
    volume: volumeOf(message),
    ...(message.requestSpec && { requestSpec: requestSpecFromWire(message.requestSpec) }),
    filterProperties: filterProperties ?? { schedulerHints: new Map() },
  };
}

/** A message without its volume cannot be acted on, now or ever. */
function volumeOf(message: Pick<MakeVolume, 'volume'>): Volume {
  if (!message.volume?.id) throw new Error('the message carries no volume');
  return volumeFromWire(message.volume);
}

/** The same bytes, as a row keeps them. */
export function bytes(array: Uint8Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
