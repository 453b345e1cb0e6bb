import { randomUUID } from 'node:crypto';
import { AvailabilityZonesService, ListAvailabilityZonesRequest } from '#src/gen/cinder/api/v3/availability_zones.js';
import { DiagnoseRequest, DiagnosticsService, RepairRequest } from '#src/gen/cinder/api/v3/diagnostics.js';
import {
  DeleteMessageRequest,
  GetMessageRequest,
  ListMessagesRequest,
  MessagesService,
} from '#src/gen/cinder/api/v3/messages.js';
import { ExplainPlacementRequest, ListPoolsRequest, PoolsService } from '#src/gen/cinder/api/v3/pools.js';
import {
  CheckQuotasRequest,
  DeleteQuotaSetRequest,
  ExplainUsageRequest,
  GetDefaultQuotaSetRequest,
  GetQuotaClassSetRequest,
  GetQuotaSetRequest,
  QuotasService,
  SyncQuotasRequest,
  UpdateQuotaClassSetRequest,
  UpdateQuotaSetRequest,
} from '#src/gen/cinder/api/v3/quotas.js';
import {
  DisableServiceRequest,
  EnableServiceRequest,
  ExplainVersionCapRequest,
  GetLogLevelsRequest,
  ListServicesRequest,
  SetLogLevelsRequest,
  ServicesService,
} from '#src/gen/cinder/api/v3/services.js';
import {
  AddVolumeTypeAccessRequest,
  CreateVolumeTypeRequest,
  DeleteVolumeTypeExtraSpecsRequest,
  DeleteVolumeTypeRequest,
  GetDefaultVolumeTypeRequest,
  GetVolumeTypeRequest,
  ListVolumeTypeAccessRequest,
  ListVolumeTypesRequest,
  RemoveVolumeTypeAccessRequest,
  SetDefaultVolumeTypeRequest,
  SetVolumeTypeExtraSpecsRequest,
  UnsetDefaultVolumeTypeRequest,
  UpdateVolumeTypeRequest,
  VolumeTypesService,
} from '#src/gen/cinder/api/v3/volume_types.js';
import {
  CreateVolumeRequest,
  DeleteVolumeMetadataRequest,
  DeleteVolumeRequest,
  GetVolumeRequest,
  ListVolumesRequest,
  SetVolumeMetadataRequest,
  SummarizeVolumesRequest,
  ResetVolumeStatusRequest,
  UpdateVolumeRequest,
  VolumeStatus,
  VolumeFilter,
  VolumesService,
  WatchVolumesRequest,
} from '#src/gen/cinder/api/v3/volumes.js';
import { CleanupWorkersRequest, WorkersService } from '#src/gen/cinder/api/v3/workers.js';
import type { AnyMethod, RequestOf } from '#src/rpc/service-definition.js';
import type { Owner } from './expected.js';

/** What the requests are about: things of one project, each new. */
export interface Things {
  readonly owner: Owner;
  readonly projectId: string;
  readonly volume: () => Promise<string>;
  /** A message about a volume that could not be placed. */
  readonly message: () => Promise<string>;
  /** A type that only this project may use. */
  readonly privateType: () => Promise<string>;
  readonly publicType: () => Promise<string>;
}

/** A request of an RPC. */
export interface Ask {
  readonly method: AnyMethod;
  readonly request: (things: Things) => Promise<object>;
}

/** More than the backend has: such a volume ends in `error`, on no backend, and leaves a message. */
export const TOO_LARGE_GIB = 10_000;

/** A type that no other test knows; names that look like ids are refused. */
export const newTypeName = (): string => `type-${randomUUID()}`;

/** Volumes need no other scheduler: requests about it disturb nobody. */
const service = { binary: 'cinder-scheduler', host: 'node1' };
const toUnlimited = new Map([['volumes', -1]]);
const metadata = new Map([['a', 'b']]);

/** Every public RPC, with a request that nothing but the policy or the owner of the thing can be against. */
export const ASKS: readonly Ask[] = [
  ask(AvailabilityZonesService.listAvailabilityZones, () => ListAvailabilityZonesRequest.create()),
  ask(DiagnosticsService.diagnose, () => DiagnoseRequest.create()),
  ask(DiagnosticsService.repair, () => RepairRequest.create()),
  ask(MessagesService.listMessages, () => ListMessagesRequest.create()),
  ask(MessagesService.getMessage, async ({ message }) => GetMessageRequest.create({ messageId: await message() })),
  ask(MessagesService.deleteMessage, async ({ message }) =>
    DeleteMessageRequest.create({ messageId: await message() }),
  ),
  ask(PoolsService.listPools, () => ListPoolsRequest.create()),
  ask(PoolsService.explainPlacement, () => ExplainPlacementRequest.create({ volume: { size: 1 } })),
  ask(QuotasService.getQuotaSet, ({ projectId }) => GetQuotaSetRequest.create({ projectId, usage: true })),
  ask(QuotasService.updateQuotaSet, ({ projectId }) =>
    UpdateQuotaSetRequest.create({ projectId, limits: toUnlimited }),
  ),
  ask(QuotasService.getDefaultQuotaSet, () => GetDefaultQuotaSetRequest.create()),
  ask(QuotasService.deleteQuotaSet, ({ projectId }) => DeleteQuotaSetRequest.create({ projectId })),
  ask(QuotasService.checkQuotas, ({ projectId }) => CheckQuotasRequest.create({ projectId })),
  ask(QuotasService.syncQuotas, ({ projectId }) => SyncQuotasRequest.create({ projectId })),
  ask(QuotasService.explainUsage, ({ projectId }) => ExplainUsageRequest.create({ projectId })),
  ask(QuotasService.getQuotaClassSet, () => GetQuotaClassSetRequest.create({ className: 'gold' })),
  ask(QuotasService.updateQuotaClassSet, () =>
    UpdateQuotaClassSetRequest.create({ className: 'gold', limits: toUnlimited }),
  ),
  ask(ServicesService.explainVersionCap, () => ExplainVersionCapRequest.create()),
  ask(ServicesService.listServices, () => ListServicesRequest.create()),
  ask(ServicesService.enableService, () => EnableServiceRequest.create(service)),
  ask(ServicesService.disableService, () => DisableServiceRequest.create(service)),
  ask(ServicesService.setLogLevels, () => SetLogLevelsRequest.create({ level: 'INFO' })),
  ask(ServicesService.getLogLevels, () => GetLogLevelsRequest.create()),
  ask(VolumeTypesService.createVolumeType, () => CreateVolumeTypeRequest.create({ name: newTypeName() })),
  ask(VolumeTypesService.getVolumeType, async ({ privateType }) =>
    GetVolumeTypeRequest.create({ volumeType: await privateType() }),
  ),
  ask(VolumeTypesService.listVolumeTypes, () => ListVolumeTypesRequest.create()),
  ask(VolumeTypesService.updateVolumeType, async ({ publicType }) =>
    UpdateVolumeTypeRequest.create({ volumeType: await publicType(), name: newTypeName(), updateMask: ['name'] }),
  ),
  ask(VolumeTypesService.deleteVolumeType, async ({ publicType }) =>
    DeleteVolumeTypeRequest.create({ volumeType: await publicType() }),
  ),
  ask(VolumeTypesService.setVolumeTypeExtraSpecs, async ({ publicType }) =>
    SetVolumeTypeExtraSpecsRequest.create({ volumeType: await publicType(), extraSpecs: metadata }),
  ),
  ask(VolumeTypesService.deleteVolumeTypeExtraSpecs, async ({ publicType }) =>
    DeleteVolumeTypeExtraSpecsRequest.create({ volumeType: await publicType(), keys: ['key'] }),
  ),
  ask(VolumeTypesService.addVolumeTypeAccess, async ({ privateType, projectId }) =>
    AddVolumeTypeAccessRequest.create({ volumeType: await privateType(), projectId: `${projectId}-too` }),
  ),
  ask(VolumeTypesService.removeVolumeTypeAccess, async ({ privateType, projectId }) =>
    RemoveVolumeTypeAccessRequest.create({ volumeType: await privateType(), projectId }),
  ),
  ask(VolumeTypesService.listVolumeTypeAccess, async ({ privateType }) =>
    ListVolumeTypeAccessRequest.create({ volumeType: await privateType() }),
  ),
  ask(VolumeTypesService.getDefaultVolumeType, ({ projectId }) => GetDefaultVolumeTypeRequest.create({ projectId })),
  ask(VolumeTypesService.setDefaultVolumeType, async ({ publicType, projectId }) =>
    SetDefaultVolumeTypeRequest.create({ volumeType: await publicType(), projectId: `${projectId}-too` }),
  ),
  ask(VolumeTypesService.unsetDefaultVolumeType, ({ projectId }) =>
    UnsetDefaultVolumeTypeRequest.create({ projectId: `${projectId}-too` }),
  ),
  ask(VolumesService.createVolume, () => CreateVolumeRequest.create({ size: TOO_LARGE_GIB })),
  ask(VolumesService.getVolume, async ({ volume }) => GetVolumeRequest.create({ volumeId: await volume() })),
  ask(VolumesService.listVolumes, ({ owner, projectId }) =>
    ListVolumesRequest.create(owner === 'own' ? {} : { filter: VolumeFilter.create({ projectId }) }),
  ),
  ask(VolumesService.summarizeVolumes, ({ owner }) =>
    SummarizeVolumesRequest.create({ allProjects: owner === 'foreign' }),
  ),
  ask(VolumesService.updateVolume, async ({ volume }) =>
    UpdateVolumeRequest.create({ volumeId: await volume(), name: 'renamed', updateMask: ['name'] }),
  ),
  ask(VolumesService.setVolumeMetadata, async ({ volume }) =>
    SetVolumeMetadataRequest.create({ volumeId: await volume(), metadata }),
  ),
  ask(VolumesService.deleteVolumeMetadata, async ({ volume }) =>
    DeleteVolumeMetadataRequest.create({ volumeId: await volume(), keys: ['key'] }),
  ),
  ask(VolumesService.resetVolumeStatus, async ({ volume }) =>
    ResetVolumeStatusRequest.create({ volumeId: await volume(), status: VolumeStatus.ERROR, reason: 'a test' }),
  ),
  ask(VolumesService.deleteVolume, async ({ volume }) => DeleteVolumeRequest.create({ volumeId: await volume() })),
  ask(WorkersService.cleanupWorkers, () => CleanupWorkersRequest.create()),
  ask(VolumesService.watchVolumes, () => WatchVolumesRequest.create()),
];

function ask<M extends AnyMethod>(method: M, request: (things: Things) => RequestOf<M> | Promise<RequestOf<M>>): Ask {
  return { method, request: async (things) => request(things) as object };
}

/** The project of an owner, as a persona of `home` sees it. */
export const PROJECT_OF: Readonly<Record<Owner, string>> = { own: 'home', foreign: 'abroad' };
