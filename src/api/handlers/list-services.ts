import { allServices, isUp } from '../../db/services.js';
import type { Store } from '../../db/store.js';
import { ServiceState, type ServicesService } from '../../gen/cinder/api/v3/services.js';
import type { PublicHandler } from '../../rpc/public-server.js';

export interface ListServicesParts {
  readonly store: Store;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
}

/** `Services/ListServices`. Rule: cinder/api/v3/services.py, `index`. */
export function listServices(parts: ListServicesParts): PublicHandler<typeof ServicesService.listServices> {
  return async ({ binary, host }) => {
    const records = await allServices(parts.store);
    const wanted = records.filter(
      (record) => (binary === '' || record.binary === binary) && (host === '' || isOfHost(record.host, host)),
    );
    return {
      services: wanted.map((record) => ({
        id: record.id,
        binary: record.binary,
        host: record.host,
        availabilityZone: record.availabilityZone,
        disabled: record.disabled,
        disabledReason: record.disabledReason ?? undefined,
        state: isUp(record, parts.downAfterMs) ? ServiceState.UP : ServiceState.DOWN,
        updatedAt: new Date(record.heartbeatAt),
        cluster: record.clusterName ?? undefined,
        rpcVersion: record.rpcVersion,
        objectVersion: record.objectVersion,
        frozen: record.frozen,
      })),
    };
  };
}

/** `host` stands for all backends of the host. */
function isOfHost(of: string, host: string): boolean {
  return of === host || of.startsWith(`${host}@`);
}
