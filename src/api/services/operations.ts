import { MessagesService } from '../../gen/cinder/api/v3/messages.js';
import { PoolsService } from '../../gen/cinder/api/v3/pools.js';
import { ServicesService } from '../../gen/cinder/api/v3/services.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { listMessages, type ListMessagesParts } from '../handlers/list-messages.js';
import { listPools, type ListPoolsParts } from '../handlers/list-pools.js';
import { notBuilt } from '../handlers/not-built.js';
import { listServices, type ListServicesParts } from '../handlers/list-services.js';

/** `cinder.api.v3.Services`, rpc → handler. */
export function services(parts: ListServicesParts): PublicService {
  return publicService(ServicesService, {
    listServices: listServices(parts),
    enableService: notBuilt('EnableService'),
    disableService: notBuilt('DisableService'),
  });
}

/** `cinder.api.v3.Pools`, rpc → handler. */
export function pools(parts: ListPoolsParts): PublicService {
  return publicService(PoolsService, { listPools: listPools(parts) });
}

/** `cinder.api.v3.Messages`, rpc → handler. */
export function messages(parts: ListMessagesParts): PublicService {
  return publicService(MessagesService, {
    listMessages: listMessages(parts),
    getMessage: notBuilt('GetMessage'),
    deleteMessage: notBuilt('DeleteMessage'),
  });
}
