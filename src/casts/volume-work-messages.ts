import type { CastMessage } from '../db/worker-row.js';
import {
  ExtendVolumeRequest as ScheduleExtend,
  ManageExistingRequest as ScheduleManage,
  MigrateVolumeRequest as ScheduleMigrate,
  MigrateVolumeToHostRequest as ScheduleMigrateToHost,
  RetypeRequest as ScheduleRetype,
} from '../gen/cinder/scheduler/v3/scheduler_manager.js';
import {
  CreateVolumeRequest,
  type Destination,
  ExtendVolumeRequest,
  ManageExistingRequest,
  MigrateVolumeRequest,
  RetypeRequest,
} from '../gen/cinder/volume/v3/volume_manager.js';
import type { Volume } from '../objects/volume.js';
import { volumeToWire } from '../rpc/objects-on-the-wire.js';
import { bytes, common, type CreateVolumeOnScheduler } from './cast-messages.js';

/** What the scheduler gets about a volume that exists. Rule: cinder/scheduler/rpcapi.py. */
export type WorkOnVolume = CreateVolumeOnScheduler;

/** Rule: cinder/scheduler/rpcapi.py, `extend_volume`. */
export interface ExtendOnScheduler extends WorkOnVolume {
  readonly newSizeGib: number;
  readonly reservations: readonly string[];
}

/** Rule: cinder/scheduler/rpcapi.py, `migrate_volume`. */
export interface MigrateOnScheduler extends WorkOnVolume {
  /** `host@backend`, with or without a pool. */
  readonly backend: string;
  readonly forceCopy: boolean;
}

/** Rule: cinder/scheduler/rpcapi.py, `retype`. */
export interface RetypeOnScheduler extends WorkOnVolume {
  readonly migrationPolicy: string;
  readonly reservations: readonly string[];
  readonly oldReservations: readonly string[];
}

/** Rule: cinder/scheduler/rpcapi.py, `manage_existing`. */
export interface ManageOnScheduler extends WorkOnVolume {
  readonly ref: ReadonlyMap<string, string>;
}

/** Each reader throws for bytes that are no such message, and for one without a volume. */
export function readExtend(args: Uint8Array): ExtendOnScheduler {
  const message = ScheduleExtend.decode(args);
  return { ...common(message), newSizeGib: message.newSize, reservations: message.reservations };
}

export function readMigrate(args: Uint8Array): MigrateOnScheduler {
  const message = ScheduleMigrate.decode(args);
  return { ...common(message), backend: message.backend, forceCopy: message.forceCopy };
}

/** In the words of peers below 3.3. */
export function readMigrateToHost(args: Uint8Array): MigrateOnScheduler {
  const message = ScheduleMigrateToHost.decode(args);
  return { ...common(message), backend: message.host, forceCopy: message.forceHostCopy };
}

export function readRetype(args: Uint8Array): RetypeOnScheduler {
  const message = ScheduleRetype.decode(args);
  return {
    ...common(message),
    migrationPolicy: message.migrationPolicy,
    reservations: message.quotaReservations,
    oldReservations: message.oldReservations,
  };
}

export function readManage(args: Uint8Array): ManageOnScheduler {
  const message = ScheduleManage.decode(args);
  return { ...common(message), ref: message.ref };
}

/** A pool as a volume service is told of it. */
export interface DestinationPool {
  /** `host@backend#pool`. */
  readonly host: string;
  readonly clusterName: string | null;
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** To the volume's backend. Rule: cinder/volume/rpcapi.py, `extend_volume`. */
export function extendOnVolume({ volume, newSizeGib, reservations }: ExtendOnScheduler): CastMessage {
  const message = { volume: volumeToWire(volume), newSize: newSizeGib, reservations: [...reservations] };
  return toVolume('ExtendVolume', ExtendVolumeRequest.encode(message).finish());
}

/** To the backend that has the volume. Rule: cinder/volume/rpcapi.py, `migrate_volume`. */
export function migrateOnVolume({ volume, forceCopy }: MigrateOnScheduler, pool: DestinationPool): CastMessage {
  const message = { volume: volumeToWire(volume), host: destination(pool), forceHostCopy: forceCopy };
  return toVolume('MigrateVolume', MigrateVolumeRequest.encode(message).finish(), versionFor(pool));
}

/** To the backend that has the volume. Rule: cinder/volume/rpcapi.py, `retype`. */
export function retypeOnVolume(cast: RetypeOnScheduler, newTypeId: string, pool: DestinationPool): CastMessage {
  const message = {
    volume: volumeToWire(cast.volume),
    newTypeId,
    host: destination(pool),
    migrationPolicy: cast.migrationPolicy || 'never',
    reservations: [...cast.reservations],
    oldReservations: [...cast.oldReservations],
  };
  return toVolume('Retype', RetypeRequest.encode(message).finish(), versionFor(pool));
}

/** To the backend that was asked. Rule: cinder/volume/rpcapi.py, `manage_existing`. */
export function manageOnVolume(volume: Volume, ref: ReadonlyMap<string, string>): CastMessage {
  const message = { volume: volumeToWire(volume), ref: new Map(ref) };
  return toVolume('ManageExisting', ManageExistingRequest.encode(message).finish());
}

/** Where work that was handed to a volume service takes room, `host@backend#pool`; undefined: nowhere. Throws for bytes that are no such message. */
export function placeOfRoom({ binary, method, payload }: CastMessage): string | undefined {
  if (binary !== 'cinder-volume') return undefined;
  switch (method) {
    case 'CreateVolume':
      return placeIn(CreateVolumeRequest.decode(payload).volume);
    case 'ExtendVolume':
      return placeIn(ExtendVolumeRequest.decode(payload).volume);
    case 'MigrateVolume':
      return placeIn(MigrateVolumeRequest.decode(payload).host);
    case 'Retype':
      return placeIn(RetypeRequest.decode(payload).host);
    default:
      return undefined;
  }
}

function placeIn(at: { readonly host?: string | undefined; readonly clusterName?: string | undefined } | undefined) {
  return at?.clusterName ?? at?.host;
}

function toVolume(method: string, payload: Uint8Array, payloadVersion = '3.0'): CastMessage {
  return { binary: 'cinder-volume', method, payload: bytes(payload), payloadVersion };
}

function destination({ host, clusterName, capabilities }: DestinationPool): Destination {
  return { host, clusterName: clusterName ?? undefined, capabilities: { ...capabilities } };
}

/** The lowest version that knows what is said of the pool. */
function versionFor({ clusterName }: DestinationPool): string {
  return clusterName === null ? '3.0' : '3.5';
}
