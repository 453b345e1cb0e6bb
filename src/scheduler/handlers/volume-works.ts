import {
  extendOnVolume,
  type ExtendOnScheduler,
  type ManageOnScheduler,
  manageOnVolume,
  type MigrateOnScheduler,
  migrateOnVolume,
  readExtend,
  readManage,
  readMigrate,
  readMigrateToHost,
  readRetype,
  retypeOnVolume,
  type RetypeOnScheduler,
} from '../../casts/volume-work-messages.js';
import { placeManaged } from '../../db/volume-returns.js';
import { Fault } from '../../errors/fault.js';
import { placeOf, wishAt } from '../decision.js';
import { growsInUse, requestedGib } from '../placement-request.js';
import { poolForRetype } from '../placements.js';
import type { VolumeWork } from './volume-work.js';

/** Rule: cinder/scheduler/manager.py, `extend_volume`; it does not wait for reports. */
export const EXTEND: VolumeWork<ExtendOnScheduler> = {
  work: 'extend',
  method: 'extend_volume',
  operation: 'extend_volume',
  waits: false,
  decode: readExtend,
  wish({ volume, newSizeGib }, question) {
    if (newSizeGib <= volume.sizeGib) throw invalid('new_size', `must be greater than ${volume.sizeGib}`);
    const { sizeGib, attachStatus } = question.spec.volumeProperties;
    const request = {
      requestedGib: requestedGib(sizeGib, newSizeGib),
      growsInUse: growsInUse('extend_volume', attachStatus),
    };
    return wishAt({ ...question, request }, placeOf(volume), { takesGib: newSizeGib - volume.sizeGib });
  },
  next: (request) => ({ place: request.volume.host ?? '', message: extendOnVolume(request) }),
};

/**
 * Rule: cinder/scheduler/manager.py, `migrate_volume`; the source's backend does the work. Cinder takes no room, so that two
 * migrations are sent to the same last of it; here it is claimed.
 */
export const MIGRATE: VolumeWork<MigrateOnScheduler> = {
  work: 'migrate',
  method: 'migrate_volume_to_host',
  operation: 'migrate_volume',
  waits: true,
  decode: readMigrate,
  wish({ volume, backend }, question) {
    if (backend === '') throw invalid('backend', 'is required');
    placeOf(volume);
    return wishAt(question, backend, { takesGib: 0, claimsGib: question.spec.volumeProperties.sizeGib });
  },
  next: (request, pool) => ({ place: request.volume.host ?? '', message: migrateOnVolume(request, pool) }),
};

/** The same in the words of peers below 3.3. */
export const MIGRATE_TO_HOST: VolumeWork<MigrateOnScheduler> = { ...MIGRATE, decode: readMigrateToHost };

/**
 * Rule: cinder/scheduler/manager.py, `retype`. A request without a type ends here; Cinder gives the volume its status back
 * and goes on without a type, which its volume service then finds to be missing.
 */
export const RETYPE: VolumeWork<RetypeOnScheduler> = {
  work: 'retype',
  method: 'retype',
  operation: 'retype_volume',
  waits: true,
  decode: readRetype,
  wish({ volume, requestSpec, migrationPolicy }, question) {
    if (!requestSpec?.volumeType) throw invalid('request_spec.volume_type', 'is required');
    const current = placeOf(volume);
    const mayMove = migrationPolicy !== '' && migrationPolicy !== 'never';
    return {
      question: { ...question, request: { existsOn: current } },
      pick(candidates) {
        const place = poolForRetype(candidates, current, mayMove ? 'on-demand' : 'never');
        return place && { pool: place.pool, takesGib: place.moves ? question.spec.volumeProperties.sizeGib : 0 };
      },
      place: mayMove ? null : current,
    };
  },
  next: (request, pool) => ({
    place: request.volume.host ?? '',
    message: retypeOnVolume(request, request.requestSpec?.volumeType?.id ?? '', pool),
  }),
};

/** Rule: cinder/scheduler/manager.py, `manage_existing`; what is there already needs no room. */
export const MANAGE: VolumeWork<ManageOnScheduler> = {
  work: 'manage',
  method: 'manage_existing',
  operation: 'manage_existing',
  waits: true,
  decode: readManage,
  sizeGib: 0,
  wish: ({ volume }, question) => wishAt(question, placeOf(volume), { takesGib: 0 }),
  next({ volume, ref }, { host, clusterName }) {
    const steps = [placeManaged({ id: volume.id, host, clusterName })];
    return { place: host, message: manageOnVolume({ ...volume, host, clusterName }, ref), steps };
  },
};

function invalid(field: string, description: string): Fault {
  return new Fault('InvalidInput', { violations: [{ field, description }], omitted: 0 });
}
