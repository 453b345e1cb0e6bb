import { isUp, type ServiceRecord } from '../../db/services.js';
import { type Service, ServiceState } from '../../gen/cinder/api/v3/services.js';

/** A service as administrators see it. `downAfterMs`: `service_down_time`. */
export function serviceView(record: ServiceRecord, downAfterMs: number): Service {
  return {
    id: record.id,
    binary: record.binary,
    host: record.host,
    availabilityZone: record.availabilityZone,
    disabled: record.disabled,
    disabledReason: record.disabledReason ?? undefined,
    state: isUp(record, downAfterMs) ? ServiceState.UP : ServiceState.DOWN,
    updatedAt: new Date(record.heartbeatAt),
    cluster: record.clusterName ?? undefined,
    rpcVersion: record.rpcVersion,
    objectVersion: record.objectVersion,
    frozen: record.frozen,
  };
}
