import type { Store } from '../../db/store.js';
import { findVolume } from '../../db/volumes.js';
import type { SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { Fault } from '../../errors/fault.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import type { BackupServices } from '../backup-services.js';
import { required } from './asking.js';

export interface CreateBackupParts {
  readonly store: Store;
  readonly backups: BackupServices;
  /** Uniform [0, 1). */
  readonly random: () => number;
}

/**
 * `CreateBackup`: a backup that has a service keeps it, any other gets one in its zone, or else in the volume's; then
 * NotBuilt. Throws ServiceNotFound, InvalidInput, DatabaseUnavailable. Rule: cinder/scheduler/manager.py, `create_backup`.
 */
export function createBackup(parts: CreateBackupParts): InternalHandler<typeof SchedulerManagerService.createBackup> {
  return async (request) => {
    const backup = required(request.backup, 'backup');
    required(backup.id, 'backup.id');
    if (!backup.host) {
      const zone =
        backup.availabilityZone || (await findVolume(parts.store, { id: backup.volumeId }))?.availabilityZone;
      if (parts.backups.choose(zone ?? '', parts.random) === undefined) {
        throw new Fault('ServiceNotFound', { binary: 'cinder-backup', host: zone ? `any of zone ${zone}` : 'any' });
      }
    }
    throw new Fault('NotBuilt', { what: 'create_backup' });
  };
}
