import {
  ExtendVolumeRequest,
  ManageExistingRequest,
  MigrateVolumeRequest,
  MigrateVolumeToHostRequest,
  RetypeRequest,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { Volume } from '#src/objects/volume.js';
import { volumeToWire } from '#src/rpc/objects-on-the-wire.js';

/** The arguments of work on a volume, as a scheduler gets them. */
export type Encoded = (volume: Volume) => Uint8Array;

const GOLD = { id: 'type-gold', name: 'gold', isPublic: true, extraSpecs: new Map([['tier', 'gold']]) };

/** To grow to a size, GiB. */
export const extend =
  (newSize: number, extraSpecs: Record<string, string> = {}): Encoded =>
  (volume) =>
    ExtendVolumeRequest.encode(
      ExtendVolumeRequest.fromPartial({
        ...{ volume: volumeToWire(volume), newSize, reservations: [volume.id] },
        requestSpec: {
          volumeType: { ...GOLD, extraSpecs: new Map(Object.entries(extraSpecs)) },
          volumeProperties: { size: volume.sizeGib, attachStatus: 'detached' },
        },
      }),
    ).finish();

/** To move to a backend or pool. */
export const migrate =
  (backend: string): Encoded =>
  (volume) =>
    MigrateVolumeRequest.encode(
      MigrateVolumeRequest.fromPartial({ volume: volumeToWire(volume), backend, forceCopy: true }),
    ).finish();

/** The same in the words of peers below 3.3. */
export const migrateToHost =
  (host: string): Encoded =>
  (volume) =>
    MigrateVolumeToHostRequest.encode(
      MigrateVolumeToHostRequest.fromPartial({ volume: volumeToWire(volume), host, forceHostCopy: true }),
    ).finish();

/** To get a type. */
export const retype =
  (migrationPolicy: string, volumeType: typeof GOLD | null = GOLD): Encoded =>
  (volume) =>
    RetypeRequest.encode(
      RetypeRequest.fromPartial({
        ...{ volume: volumeToWire(volume), migrationPolicy, quotaReservations: [volume.id] },
        requestSpec: { ...(volumeType && { volumeType }), volumeProperties: { size: volume.sizeGib } },
      }),
    ).finish();

/** To take what is there under management. */
export const manage: Encoded = (volume) =>
  ManageExistingRequest.encode(
    ManageExistingRequest.fromPartial({ volume: volumeToWire(volume), ref: new Map([['source-name', 'lun 7']]) }),
  ).finish();
