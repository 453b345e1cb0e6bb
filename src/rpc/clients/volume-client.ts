import type { CleanupRequest } from '../../gen/cinder/objects/v1/cleanup_request.js';
import {
  type CreateVolumeRequest,
  type DeleteVolumeRequest,
  type InspectStorageRequest,
  type InspectStorageResponse,
  type RepairStorageRequest,
  type RepairStorageResponse,
  VolumeManagerService,
} from '../../gen/cinder/volume/v3/volume_manager.js';
import type { RequestContext } from '../../objects/request-context.js';
import { CastClient } from '../cast-client.js';
import type { FanOut, SendOptions, VersionedClientOptions } from '../versioned-client.js';

/** What is sent to one backend names it, `host@backend`. */
export type BackendOptions = SendOptions & { readonly target: string };

/** Client of the volume service's RPC. Version rules: proto/cinder/volume/v3/volume_manager.proto. */
export class VolumeClient extends CastClient<typeof VolumeManagerService> {
  constructor(options: VersionedClientOptions) {
    super(VolumeManagerService, options);
  }

  async createVolume(context: RequestContext, request: CreateVolumeRequest, options: BackendOptions): Promise<void> {
    await this.call('CreateVolume', context, request, options);
  }

  async deleteVolume(context: RequestContext, request: DeleteVolumeRequest, options: BackendOptions): Promise<void> {
    await this.call('DeleteVolume', context, request, options);
  }

  /** To the service of one backend: only where it is can its work be done. */
  async doCleanup(context: RequestContext, cleanupRequest: CleanupRequest, options: BackendOptions): Promise<void> {
    await this.call('DoCleanup', context, { cleanupRequest }, options);
  }

  /** A page of how a backend and the records differ. Nobody below 3.20 can say. */
  inspectStorage(
    context: RequestContext,
    request: InspectStorageRequest,
    options: BackendOptions,
  ): Promise<InspectStorageResponse> {
    return this.call('InspectStorage', context, request, options);
  }

  /** Repairs one difference. Nobody below 3.20 can. */
  repairStorage(
    context: RequestContext,
    request: RepairStorageRequest,
    options: BackendOptions,
  ): Promise<RepairStorageResponse> {
    return this.call('RepairStorage', context, request, options);
  }

  /** Asks every volume service to report to every scheduler. */
  publishServiceCapabilities(context: RequestContext, options: SendOptions = {}): Promise<FanOut> {
    return this.fanout('PublishServiceCapabilities', context, {}, options);
  }
}
