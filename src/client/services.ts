import { AvailabilityZonesDefinition } from '../gen/cinder/api/v3/availability_zones.js';
import { DiagnosticsDefinition } from '../gen/cinder/api/v3/diagnostics.js';
import { MessagesDefinition } from '../gen/cinder/api/v3/messages.js';
import { PoolsDefinition } from '../gen/cinder/api/v3/pools.js';
import { QuotasDefinition } from '../gen/cinder/api/v3/quotas.js';
import { ServicesDefinition } from '../gen/cinder/api/v3/services.js';
import { VolumeTypesDefinition } from '../gen/cinder/api/v3/volume_types.js';
import { VolumesDefinition } from '../gen/cinder/api/v3/volumes.js';
import { WorkersDefinition } from '../gen/cinder/api/v3/workers.js';

/** The public services, by the client's property; their methods follow from the protos. */
export const SERVICES = {
  availabilityZones: AvailabilityZonesDefinition,
  diagnostics: DiagnosticsDefinition,
  messages: MessagesDefinition,
  pools: PoolsDefinition,
  quotas: QuotasDefinition,
  services: ServicesDefinition,
  volumeTypes: VolumeTypesDefinition,
  volumes: VolumesDefinition,
  workers: WorkersDefinition,
} as const;
