import { hostOf } from '../../objects/backend-name.js';
import type { PlacementRequest } from '../placement-request.js';
import { PythonError } from '../python/python-error.js';
import { isUuidLike } from '../python/uuid.js';
import { get, isTruthy } from '../python/value.js';
import { ALL_PASS, ASK_EACH, type Filter } from './filter.js';

/**
 * Keeps the pools on the host of the server in the hint `local_to_instance`. Raises for what is no UUID and for a server
 * whose host is not known. Rule: cinder/scheduler/filters/instance_locality_filter.py.
 */
export const instanceLocalityFilter: Filter = {
  name: 'InstanceLocalityFilter',
  passes: (pool, request) => {
    const host = serverHost(request);
    return host === undefined || hostOf(pool.backendId) === host;
  },
  shortcut: ({ hints }) => (hints !== null && isTruthy(get(hints, 'local_to_instance')) ? ASK_EACH : ALL_PASS),
  reason: (pool, request) => `is not on ${serverHost(request) ?? 'any host'}, where the server is`,
  complaint: 'are not on the host of the server',
};

function serverHost({ hints, servers }: PlacementRequest): string | undefined {
  const server = hints === null ? undefined : get(hints, 'local_to_instance');
  if (!isTruthy(server)) return undefined;
  if (typeof server !== 'string' || !isUuidLike(server)) {
    throw new PythonError('ValueError', 'local_to_instance is no UUID');
  }
  const host = servers.get(server);
  if (host === undefined) throw new PythonError('LookupError', `it is not known on which host server ${server} is`);
  return host;
}
