import { allServices } from '../../db/services.js';
import type { Store } from '../../db/store.js';
import type { ServicesService } from '../../gen/cinder/api/v3/services.js';
import { isOfHost } from '../../objects/backend-name.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';
import { serviceView } from '../views/service-view.js';

/** What every RPC about services needs. */
export interface ServicesParts {
  readonly store: Store;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
}

/** `Services/ListServices`. Throws InvalidInput. Rule: cinder/api/v3/services.py, `index`. */
export function listServices(parts: ServicesParts): PublicHandler<typeof ServicesService.listServices> {
  return async ({ binary, host }) => {
    const bad = new Violations();
    bad.text('binary', binary, 0, 255);
    bad.text('host', host, 0, 255);
    bad.check();
    const records = await allServices(parts.store);
    const wanted = records.filter(
      (record) => (binary === '' || record.binary === binary) && (host === '' || isOfHost(record.host, host)),
    );
    return { services: wanted.map((record) => serviceView(record, parts.downAfterMs)) };
  };
}
