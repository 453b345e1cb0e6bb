import type { Backup } from '../../gen/cinder/objects/v1/backup.js';
import type { BackupDeviceInfo } from '../../gen/cinder/objects/v1/backup_device_info.js';
import type { CleanupRequest } from '../../gen/cinder/objects/v1/cleanup_request.js';
import type { LogLevel } from '../../gen/cinder/objects/v1/log_level.js';
import type { ManageableSnapshot, ManageableVolume } from '../../gen/cinder/objects/v1/manageable_resources.js';
import type { Volume, VolumeAttachment } from '../../gen/cinder/objects/v1/volume.js';
import type { AttachVolumeRequest } from '../../gen/cinder/volume/v3/attachments.js';
import type { GetManageableVolumesRequest } from '../../gen/cinder/volume/v3/manageable_resources.js';
import type { AcceptTransferRequest } from '../../gen/cinder/volume/v3/transfers.js';
import { VolumeManagerService } from '../../gen/cinder/volume/v3/volume_manager.js';
import type { RequestContext } from '../../objects/request-context.js';
import { CastClient } from '../cast-client.js';
import { backupDeviceFromDict, manageableSnapshotFromDict, manageableVolumeFromDict } from '../older-answers.js';
import type { AnyMethod, MethodOf, RequestOf, ResponseOf, RpcName } from '../service-definition.js';
import type { Cap } from '../version-cap.js';
import type { FanOut, FormerMethod, SendOptions, VersionedClientOptions } from '../versioned-client.js';

type Rpc = typeof VolumeManagerService;

/** What is sent to one backend names it, `host@backend` or, for any member of its cluster, `cluster@backend`. */
export type BackendOptions = SendOptions & { readonly target: string };

/** An RPC that names its backend. */
type AtBackend<M extends AnyMethod, Answer = ResponseOf<M>> = (
  context: RequestContext,
  request: RequestOf<M>,
  options: BackendOptions,
) => Promise<Answer>;

/** How a volume is attached. */
export type Attaching = Pick<AttachVolumeRequest, 'instanceUuid' | 'hostName' | 'mountpoint' | 'mode'>;

/** Who a volume goes to. */
export type Acceptance = Pick<AcceptTransferRequest, 'newUser' | 'newProject' | 'noSnapshots'>;

/** Which page of what a backend has. */
export type ManageablePage = Omit<GetManageableVolumesRequest, 'wantObjects'>;

/** Client of the volume service's RPC. Version rules: proto/cinder/volume/v3/volume_manager.proto. */
export class VolumeClient extends CastClient<Rpc> {
  constructor(options: VersionedClientOptions) {
    super(VolumeManagerService, options);
  }

  readonly createVolume = this.#casting('CreateVolume');
  readonly deleteVolume = this.#casting('DeleteVolume');
  readonly extendVolume = this.#casting('ExtendVolume');
  /** Since 3.19. */
  readonly extendVolumeCompletion = this.#casting('ExtendVolumeCompletion');
  /** Since 3.15. */
  readonly revertToSnapshot = this.#casting('RevertToSnapshot');
  /** Below 3.5 the destination's cluster is left out by its `since`. So it is of `retype`. */
  readonly migrateVolume = this.#casting('MigrateVolume');
  readonly migrateVolumeCompletion = this.#calling('MigrateVolumeCompletion');
  /** To the backend of the copy. */
  readonly updateMigratedVolume = this.#calling('UpdateMigratedVolume');
  readonly retype = this.#casting('Retype');
  readonly manageExisting = this.#casting('ManageExisting');
  readonly copyVolumeToImage = this.#casting('CopyVolumeToImage');
  /** Since 3.18. Below 3.20 refused with an `imageSnap`: without it the image itself would be written. */
  readonly reimage = this.#casting('Reimage');

  readonly createSnapshot = this.#casting('CreateSnapshot');
  readonly deleteSnapshot = this.#casting('DeleteSnapshot');
  readonly manageExistingSnapshot = this.#casting('ManageExistingSnapshot');

  readonly initializeConnection = this.#calling('InitializeConnection');
  readonly terminateConnection = this.#calling('TerminateConnection');
  readonly removeExport = this.#calling('RemoveExport');
  /** Since 3.13, as all three of snapshots. */
  readonly initializeConnectionSnapshot = this.#calling('InitializeConnectionSnapshot');
  readonly terminateConnectionSnapshot = this.#calling('TerminateConnectionSnapshot');
  readonly removeExportSnapshot = this.#calling('RemoveExportSnapshot');
  /** Since 3.9, as `attachmentDelete`. */
  readonly attachmentUpdate = this.#calling('AttachmentUpdate');
  readonly attachmentDelete = this.#calling('AttachmentDelete');

  readonly createGroup = this.#casting('CreateGroup');
  readonly createGroupFromSrc = this.#casting('CreateGroupFromSrc');
  readonly updateGroup = this.#casting('UpdateGroup');
  readonly deleteGroup = this.#casting('DeleteGroup');
  readonly createGroupSnapshot = this.#casting('CreateGroupSnapshot');
  readonly deleteGroupSnapshot = this.#casting('DeleteGroupSnapshot');
  /** Since 3.14, as all four of groups that are replicated. */
  readonly enableReplication = this.#casting('EnableReplication');
  readonly disableReplication = this.#casting('DisableReplication');
  readonly failoverReplication = this.#casting('FailoverReplication');
  readonly listReplicationTargets = this.#calling('ListReplicationTargets');

  readonly freezeHost = this.#calling('FreezeHost');
  readonly thawHost = this.#calling('ThawHost');
  /** Below 3.8: see `formerMethod`. */
  readonly failover = this.#casting('Failover');
  readonly getCapabilities = this.#calling('GetCapabilities');
  readonly secureFileOperationsEnabled = this.#calling('SecureFileOperationsEnabled');
  /** A page of how a backend and the records differ. Nobody below 3.20 can say. */
  readonly inspectStorage = this.#calling('InspectStorage');
  /** Repairs one difference. Nobody below 3.20 can. */
  readonly repairStorage = this.#calling('RepairStorage');

  /** Below 3.8 a backend fails over without its cluster, under another name. Rule: cinder/volume/rpcapi.py. */
  protected override formerMethod(name: string, cap: Cap): FormerMethod | undefined {
    if (name !== 'Failover' || cap.canSendVersion('3.8')) return undefined;
    return { name: 'FailoverHost', reword: (message) => message };
  }

  /** Below 3.3 the volume itself is left out by its `since`: its id goes along. */
  async attachVolume(
    context: RequestContext,
    volume: Volume,
    how: Attaching,
    options: BackendOptions,
  ): Promise<VolumeAttachment | undefined> {
    const request = { ...how, volumeId: volume.id, volume };
    return (await this.call('AttachVolume', context, request, options)).attachment;
  }

  /** Below 3.4 the volume itself is left out by its `since`: its id goes along. Without an attachment: its only one. */
  async detachVolume(
    context: RequestContext,
    volume: Volume,
    attachmentId: string | undefined,
    options: BackendOptions,
  ): Promise<void> {
    await this.call('DetachVolume', context, { volumeId: volume.id, attachmentId, volume }, options);
  }

  /** Below 3.16 `noSnapshots` is left out by its `since`: no service reads it. Answers columns to change, if any. */
  async acceptTransfer(
    context: RequestContext,
    volume: Volume,
    who: Acceptance,
    options: BackendOptions,
  ): Promise<Record<string, unknown> | undefined> {
    return (await this.call('AcceptTransfer', context, { volumeId: volume.id, ...who }, options)).modelUpdate;
  }

  /**
   * What a backup is read from; undefined: the backup service is told when it is there. Below 3.17 it is waited for, below 3.2
   * it comes in the old form. Rule: cinder/volume/rpcapi.py, `get_backup_device`.
   */
  async getBackupDevice(
    context: RequestContext,
    backup: Backup,
    options: BackendOptions,
  ): Promise<BackupDeviceInfo | undefined> {
    const { backupDeviceInfo, backupDeviceDict } = await this.call(
      'GetBackupDevice',
      context,
      (cap) => {
        const version = cap.compatVersion('3.17', '3.2', '3.0');
        return { backup, wantObjects: version !== '3.0', asyncCall: version === '3.17' };
      },
      options,
    );
    return backupDeviceInfo ?? (backupDeviceDict && backupDeviceFromDict(backupDeviceDict));
  }

  /** Below 3.10 they come in the old form. Rule: cinder/volume/rpcapi.py. */
  async getManageableVolumes(
    context: RequestContext,
    page: ManageablePage,
    options: BackendOptions,
  ): Promise<readonly ManageableVolume[]> {
    const form = (cap: Cap) => ({ ...page, wantObjects: cap.canSendVersion('3.10') });
    const answer = await this.call('GetManageableVolumes', context, form, options);
    return [...answer.manageableVolumes, ...answer.manageableDicts.map(manageableVolumeFromDict)];
  }

  /** Below 3.10 they come in the old form. Rule: cinder/volume/rpcapi.py. */
  async getManageableSnapshots(
    context: RequestContext,
    page: ManageablePage,
    options: BackendOptions,
  ): Promise<readonly ManageableSnapshot[]> {
    const form = (cap: Cap) => ({ ...page, wantObjects: cap.canSendVersion('3.10') });
    const answer = await this.call('GetManageableSnapshots', context, form, options);
    return [...answer.manageableSnapshots, ...answer.manageableDicts.map(manageableSnapshotFromDict)];
  }

  /** To the members of the cluster that was failed over; below 3.8 there are none. */
  failoverCompleted(
    context: RequestContext,
    updates: Readonly<Record<string, unknown>>,
    options: BackendOptions,
  ): Promise<FanOut> {
    return this.fanout('FailoverCompleted', context, { updates: { ...updates } }, options);
  }

  /** To the service of one backend: only where it is can its work be done. Since 3.7. */
  async doCleanup(context: RequestContext, cleanupRequest: CleanupRequest, options: BackendOptions): Promise<void> {
    await this.call('DoCleanup', context, { cleanupRequest }, options);
  }

  /** To the service of one host, never to its cluster. Since 3.12. */
  async setLogLevels(context: RequestContext, logRequest: LogLevel, options: BackendOptions): Promise<void> {
    await this.call('SetLogLevels', context, { logRequest }, options);
  }

  /** To the service of one host, never to its cluster. Since 3.12. */
  async getLogLevels(
    context: RequestContext,
    logRequest: LogLevel,
    options: BackendOptions,
  ): Promise<readonly LogLevel[]> {
    return (await this.call('GetLogLevels', context, { logRequest }, options)).logLevels?.objects ?? [];
  }

  /** Asks every volume service to report to every scheduler. */
  publishServiceCapabilities(context: RequestContext, options: SendOptions = {}): Promise<FanOut> {
    return this.fanout('PublishServiceCapabilities', context, {}, options);
  }

  #calling<N extends RpcName<Rpc>>(name: N): AtBackend<MethodOf<Rpc, N>> {
    return this.calling(name);
  }

  #casting<N extends RpcName<Rpc>>(name: N): AtBackend<MethodOf<Rpc, N>, void> {
    return this.casting(name);
  }
}
