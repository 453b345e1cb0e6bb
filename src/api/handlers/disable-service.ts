import { ServicesService } from '../../gen/cinder/api/v3/services.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { switchedService } from '../switched-service.js';
import type { ServicesParts } from './list-services.js';

/** `Services/DisableService`: schedulers see it within a second. Throws InvalidInput, ServiceNotFound. */
export function disableService(parts: ServicesParts): PublicHandler<typeof ServicesService.disableService> {
  return async (request, { context }) => {
    const { binary, host, disabledReason = null } = request;
    const change = { binary, host, disabled: true, disabledReason };
    return {
      service: await switchedService(parts, change, {
        context,
        method: ServicesService.disableService,
        request,
      }),
    };
  };
}
