import { isUp, servicesOf } from '../../db/services.js';
import type { Store } from '../../db/store.js';
import { findVolume } from '../../db/volumes.js';
import type { SchedulerManagerService } from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import { Fault } from '../../errors/fault.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import { hostOf } from '../../objects/backend-name.js';
import type { BackupServices } from '../backup-services.js';
import { required } from './asking.js';

export interface CreateBackupParts {
  readonly store: Store;
  readonly backups: BackupServices;
  /** `backup_use_same_host`, with the heartbeat age at which a service counts as down. @default any host will do */
  readonly backupOnSameHost?: { readonly downAfterMs: number };
  /** Uniform [0, 1). */
  readonly random: () => number;
}

/**
 * `CreateBackup`: a backup that has a service keeps it, any other gets one in its zone, or else in the volume's, and where it
 * is so configured on the volume's host; then NotBuilt. Throws ServiceNotFound, InvalidInput, DatabaseUnavailable.
 * Rule: cinder/scheduler/manager.py, `create_backup`; cinder/scheduler/host_manager.py, `get_backup_host`.
 */
export function createBackup(parts: CreateBackupParts): InternalHandler<typeof SchedulerManagerService.createBackup> {
  return async (request) => {
    const backup = required(request.backup, 'backup');
    required(backup.id, 'backup.id');
    if (!backup.host) {
      const volume = await findVolume(parts.store, { id: backup.volumeId });
      const zone = backup.availabilityZone || volume?.availabilityZone || '';
      const host = parts.backupOnSameHost && volume?.host ? hostOf(volume.host) : undefined;
      const found = host === undefined ? parts.backups.choose(zone, parts.random) : await onHost(parts, host, zone);
      if (found === undefined) {
        const where = [host ?? 'any', ...(zone === '' ? [] : [`of zone ${zone}`])].join(' ');
        throw new Fault('ServiceNotFound', { binary: 'cinder-backup', host: where });
      }
    }
    throw new Fault('NotBuilt', { what: 'create_backup' });
  };
}

/** The host, if it has a backup service that is up and enabled. Rule: cinder/scheduler/host_manager.py, `_is_backup_service_enabled`. */
async function onHost(
  { store, backupOnSameHost }: CreateBackupParts,
  host: string,
  zone: string,
): Promise<string | undefined> {
  const services = await servicesOf(store, 'cinder-backup');
  const found = services.find((service) => service.host === host && (zone === '' || service.availabilityZone === zone));
  return found && !found.disabled && isUp(found, backupOnSameHost?.downAfterMs ?? 0) ? host : undefined;
}
