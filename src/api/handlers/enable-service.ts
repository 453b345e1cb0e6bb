import { ServicesService } from '../../gen/cinder/api/v3/services.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { switchedService } from '../switched-service.js';
import type { ServicesParts } from './list-services.js';

/** `Services/EnableService`: its reason goes with the disabling. Throws InvalidInput, ServiceNotFound. */
export function enableService(parts: ServicesParts): PublicHandler<typeof ServicesService.enableService> {
  return async (request, { context }) => {
    const { binary, host } = request;
    const change = { binary, host, disabled: false, disabledReason: null };
    return {
      service: await switchedService(parts, change, {
        context,
        method: ServicesService.enableService,
        request,
      }),
    };
  };
}
