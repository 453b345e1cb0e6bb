import { doCleanup, type DoCleanupParts } from '../casts/do-cleanup.js';
import type { CastHandler } from '../casts/handler.js';
import { aheadOfDisk } from '../db/ahead-of-disk.js';
import type { SchedulerManagerService } from '../gen/cinder/scheduler/v3/scheduler_manager.js';
import { getLogLevels, type LogLevels, setLogLevels } from '../rpc/log-levels.js';
import type { InternalHandlers } from '../rpc/versioned-server.js';
import type { AskingParts } from './handlers/asking.js';
import { createBackup, type CreateBackupParts } from './handlers/create-backup.js';
import { createGroup } from './handlers/create-group.js';
import { createSnapshot, manageExistingSnapshot } from './handlers/create-snapshot.js';
import { validateHostCapacity } from './handlers/validate-host-capacity.js';
import { createVolume, type CreateVolumeParts } from './handlers/create-volume.js';
import { explainPlacement, type ExplainPlacementParts } from './handlers/explain-placement.js';
import { getPools, type GetPoolsParts } from './handlers/get-pools.js';
import {
  notifyServiceCapabilities,
  type NotifyServiceCapabilitiesParts,
} from './handlers/notify-service-capabilities.js';
import { volumeWork, type VolumeWorkParts } from './handlers/volume-work.js';
import { EXTEND, MANAGE, MIGRATE, MIGRATE_TO_HOST, RETYPE } from './handlers/volume-works.js';
import { workCleanup, type WorkCleanupParts } from './handlers/work-cleanup.js';
import {
  updateServiceCapabilities,
  type UpdateServiceCapabilitiesParts,
} from './handlers/update-service-capabilities.js';

/** What the scheduler does with its durable casts, by the RPC's name. Rule: cinder/scheduler/manager.py, `SchedulerManager`. */
export function schedulerCasts(parts: CreateVolumeParts & VolumeWorkParts): ReadonlyMap<string, CastHandler> {
  const handlers = {
    // whoever goes on with it chooses again; what it claimed for nothing ends by its deadline
    CreateVolume: createVolume({ ...parts, store: aheadOfDisk(parts.store) }),
    ExtendVolume: volumeWork(parts, EXTEND),
    MigrateVolume: volumeWork(parts, MIGRATE),
    MigrateVolumeToHost: volumeWork(parts, MIGRATE_TO_HOST),
    Retype: volumeWork(parts, RETYPE),
    ManageExisting: volumeWork(parts, MANAGE),
  };
  // each handler reads its own arguments; the engine only passes them on
  return new Map(Object.entries(handlers) as unknown as readonly [string, CastHandler][]);
}

/** What the scheduler answers itself. */
export function schedulerCalls(
  parts: GetPoolsParts &
    ExplainPlacementParts &
    UpdateServiceCapabilitiesParts &
    NotifyServiceCapabilitiesParts &
    AskingParts &
    CreateBackupParts &
    DoCleanupParts &
    WorkCleanupParts & {
      /** Of this process. */
      readonly logLevels: LogLevels;
    },
): InternalHandlers<typeof SchedulerManagerService> {
  return {
    getPools: getPools(parts),
    explainPlacement: explainPlacement(parts),
    validateHostCapacity: validateHostCapacity(parts),
    createGroup: createGroup(parts),
    createSnapshot: createSnapshot(parts),
    manageExistingSnapshot: manageExistingSnapshot(parts),
    createBackup: createBackup(parts),
    workCleanup: workCleanup(parts),
    async doCleanup({ cleanupRequest }) {
      await doCleanup(parts, 'cinder-scheduler', cleanupRequest);
      return {};
    },
    async setLogLevels({ logRequest }) {
      setLogLevels(parts.logLevels, logRequest);
      return {};
    },
    async getLogLevels({ logRequest }) {
      return { logLevels: getLogLevels(parts.logLevels, logRequest) };
    },
    updateServiceCapabilities: updateServiceCapabilities(parts),
    notifyServiceCapabilities: notifyServiceCapabilities(parts),
  };
}
