import { ServicesService } from '../../gen/cinder/api/v3/services.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { disableService } from '../handlers/disable-service.js';
import { enableService } from '../handlers/enable-service.js';
import { explainVersionCap, type ExplainVersionCapParts } from '../handlers/explain-version-cap.js';
import { getLogLevels } from '../handlers/get-log-levels.js';
import { listServices } from '../handlers/list-services.js';
import { setLogLevels } from '../handlers/set-log-levels.js';
import type { LogLevelParts } from '../logging-services.js';

/** `cinder.api.v3.Services`, rpc → handler. */
export function services(parts: LogLevelParts & ExplainVersionCapParts): PublicService {
  return publicService(ServicesService, {
    listServices: listServices(parts),
    explainVersionCap: explainVersionCap(parts),
    enableService: enableService(parts),
    disableService: disableService(parts),
    setLogLevels: setLogLevels(parts),
    getLogLevels: getLogLevels(parts),
  });
}
