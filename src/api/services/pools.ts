import { PoolsService } from '../../gen/cinder/api/v3/pools.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { explainPlacement, type ExplainPlacementParts } from '../handlers/explain-placement.js';
import { listPools, type ListPoolsParts } from '../handlers/list-pools.js';

/** `cinder.api.v3.Pools`, rpc → handler. */
export function pools(parts: ListPoolsParts & ExplainPlacementParts): PublicService {
  return publicService(PoolsService, { listPools: listPools(parts), explainPlacement: explainPlacement(parts) });
}
