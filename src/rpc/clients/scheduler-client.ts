import type { CleanupRequest } from '../../gen/cinder/objects/v1/cleanup_request.js';
import type { LogLevel } from '../../gen/cinder/objects/v1/log_level.js';
import {
  type GetPoolsResponse,
  type MigrateVolumeRequest,
  type MigrateVolumeToHostRequest,
  SchedulerManagerService,
  type UpdateServiceCapabilitiesRequest,
  type WorkCleanupResponse,
} from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import type { RequestContext } from '../../objects/request-context.js';
import { CastClient } from '../cast-client.js';
import type { Cap } from '../version-cap.js';
import type { FanOut, FormerMethod, SendOptions, VersionedClientOptions } from '../versioned-client.js';

/** A capability report whose changes are to be announced. */
export interface CapabilityNotice {
  readonly serviceName: string;
  /** `host@backend`. */
  readonly backend: string;
  readonly capabilities: Record<string, unknown>;
  readonly timestamp: Date;
}

/** What is sent to one scheduler names its host. */
export type SchedulerOptions = SendOptions & { readonly target: string };

/** Client of the scheduler's RPC; any scheduler will do. Version rules: proto/cinder/scheduler/v3/scheduler_manager.proto. */
export class SchedulerClient extends CastClient<typeof SchedulerManagerService> {
  constructor(options: VersionedClientOptions) {
    super(SchedulerManagerService, options);
  }

  /** Below 3.10 `backupId` is left out by its `since`: the request spec carries it too. */
  readonly createVolume = this.casting('CreateVolume');
  readonly createGroup = this.casting('CreateGroup');
  /** Since 3.9. */
  readonly createSnapshot = this.casting('CreateSnapshot');
  /** Since 3.11. */
  readonly manageExistingSnapshot = this.casting('ManageExistingSnapshot');
  /** Since 3.12. */
  readonly createBackup = this.casting('CreateBackup');
  /** Since 3.2. */
  readonly extendVolume = this.casting('ExtendVolume');
  /** Below 3.3: see `formerMethod`. */
  readonly migrateVolume = this.casting('MigrateVolume');
  readonly retype = this.casting('Retype');
  readonly manageExisting = this.casting('ManageExisting');
  /** Since 3.8. */
  readonly validateHostCapacity = this.calling('ValidateHostCapacity');
  /** How one scheduler would decide a request. Nobody below 3.12 can say. */
  readonly explainPlacement = this.calling('ExplainPlacement');

  /** Below 3.3 the backend is called `host`, and the method by another name. Rule: cinder/scheduler/rpcapi.py. */
  protected override formerMethod(name: string, cap: Cap): FormerMethod | undefined {
    if (name !== 'MigrateVolume' || cap.canSendVersion('3.3')) return undefined;
    const reword = (message: object): MigrateVolumeToHostRequest => {
      const { backend, forceCopy, ...rest } = message as MigrateVolumeRequest;
      return { ...rest, host: backend, forceHostCopy: forceCopy };
    };
    return { name: 'MigrateVolumeToHost', reword };
  }

  /** The pools one scheduler knows. `filters`: capability name → wanted value. */
  getPools(
    context: RequestContext,
    filters: ReadonlyMap<string, string>,
    options: SendOptions = {},
  ): Promise<GetPoolsResponse> {
    return this.call('GetPools', context, { filters: new Map(filters) }, options);
  }

  /** Has any scheduler ask services to begin their unfinished work anew. Since 3.4. */
  workCleanup(
    context: RequestContext,
    cleanupRequest: CleanupRequest,
    options: SendOptions = {},
  ): Promise<WorkCleanupResponse> {
    return this.call('WorkCleanup', context, { cleanupRequest }, options);
  }

  /** Any scheduler will do: their work is anybody's. Since 3.4. */
  async doCleanup(context: RequestContext, cleanupRequest: CleanupRequest, options: SendOptions = {}): Promise<void> {
    await this.call('DoCleanup', context, { cleanupRequest }, options);
  }

  /** To the scheduler of one host. Since 3.7. */
  async setLogLevels(context: RequestContext, logRequest: LogLevel, options: SchedulerOptions): Promise<void> {
    await this.call('SetLogLevels', context, { logRequest }, options);
  }

  /** To the scheduler of one host. Since 3.7. */
  async getLogLevels(
    context: RequestContext,
    logRequest: LogLevel,
    options: SchedulerOptions,
  ): Promise<readonly LogLevel[]> {
    return (await this.call('GetLogLevels', context, { logRequest }, options)).logLevels?.objects ?? [];
  }

  /** To every scheduler. Below 3.3 there is neither cluster nor time. Rule: cinder/scheduler/rpcapi.py. */
  updateServiceCapabilities(
    context: RequestContext,
    report: UpdateServiceCapabilitiesRequest,
    options: SendOptions = {},
  ): Promise<FanOut> {
    return this.fanout(
      'UpdateServiceCapabilities',
      context,
      (cap) => (cap.canSendVersion('3.3') ? report : { ...report, clusterName: undefined, timestamp: undefined }),
      options,
    );
  }

  /** To one scheduler. Below 3.5 the backend is called `host` and there is no time. Rule: cinder/scheduler/rpcapi.py. */
  async notifyServiceCapabilities(
    context: RequestContext,
    notice: CapabilityNotice,
    options: SendOptions = {},
  ): Promise<void> {
    const { serviceName, backend, capabilities, timestamp } = notice;
    await this.call(
      'NotifyServiceCapabilities',
      context,
      (cap) =>
        cap.canSendVersion('3.5')
          ? { serviceName, capabilities, backend, timestamp }
          : { serviceName, capabilities, host: backend },
      options,
    );
  }
}
