import { ServicesService } from '../../gen/cinder/api/v3/services.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { disableService } from '../handlers/disable-service.js';
import { enableService } from '../handlers/enable-service.js';
import { explainVersionCap, type ExplainVersionCapParts } from '../handlers/explain-version-cap.js';
import { listServices, type ServicesParts } from '../handlers/list-services.js';

/** `cinder.api.v3.Services`, rpc → handler. */
export function services(parts: ServicesParts & ExplainVersionCapParts): PublicService {
  return publicService(ServicesService, {
    listServices: listServices(parts),
    explainVersionCap: explainVersionCap(parts),
    enableService: enableService(parts),
    disableService: disableService(parts),
  });
}
