import { WorkersService } from '../../gen/cinder/api/v3/workers.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { cleanupWorkers, type CleanupWorkersParts } from '../handlers/cleanup-workers.js';

/** `cinder.api.v3.Workers`, rpc → handler. */
export function workers(parts: CleanupWorkersParts): PublicService {
  return publicService(WorkersService, { cleanupWorkers: cleanupWorkers(parts) });
}
