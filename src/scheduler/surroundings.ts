import type { Store } from '../db/store.js';
import { findVolumes } from '../db/volumes.js';
import { isAdmin, type RequestContext } from '../objects/request-context.js';
import type { FilterProperties } from '../objects/request-spec.js';
import { NO_SURROUNDINGS, type Surroundings, type VolumePlace } from './placement-request.js';
import { isUuidLike } from './python/uuid.js';
import type { VolumeCounts } from './volume-counts.js';

/** Says on which host a server runs. Rule: cinder/compute/nova.py, `get_server`. */
export interface ComputeLookup {
  /** Undefined when the server, or its host, is not known. Throws when nobody answers. */
  readonly hostOf: (serverId: string, signal: AbortSignal) => Promise<string | undefined>;
}

/** There is no compute service: the host of no server is known. */
export const NO_COMPUTE: ComputeLookup = { hostOf: () => Promise.resolve(undefined) };

export interface SurroundingsParts {
  readonly store: Store;
  readonly counts: VolumeCounts;
  readonly compute: ComputeLookup;
  /** The filters and weighers in use: what none of them asks for is not looked up. */
  readonly filters: readonly { readonly name: string }[];
  readonly weighers: readonly { readonly name: string }[];
}

/** Looks up what a request refers to, before its pools are asked. Throws DatabaseUnavailable. */
export type LookUp = (
  context: RequestContext,
  properties: FilterProperties,
  signal: AbortSignal,
) => Promise<Surroundings> | Surroundings;

/** Volumes a request may refer to. */
const MAX_VOLUMES = 200;

/** Looks up only what the filters and weighers in use ask for; a request without hints costs nothing. */
export function lookUpWith({ store, counts, compute, filters, weighers }: SurroundingsParts): LookUp {
  const isUsed = (name: string): boolean => filters.some((filter) => filter.name === name);
  const neighbours = [
    ...(isUsed('SameBackendFilter') ? ['same_host'] : []),
    ...(isUsed('DifferentBackendFilter') ? ['different_host'] : []),
  ];
  const asksForServers = isUsed('InstanceLocalityFilter');
  const asksForCounts = weighers.some(({ name }) => name === 'VolumeNumberWeigher');

  return (context, { schedulerHints }, signal) => {
    const volumeIds = neighbours.flatMap((name) => textsIn(schedulerHints.get(name)));
    const [serverId] = asksForServers ? textsIn(schedulerHints.get('local_to_instance')) : [];
    if (volumeIds.length === 0 && serverId === undefined && !asksForCounts) return NO_SURROUNDINGS;
    return Promise.all([
      volumeIds.length === 0 ? NO_SURROUNDINGS.volumes : volumesOf(store, context, volumeIds),
      serverId === undefined ? NO_SURROUNDINGS.servers : serverHosts(compute, serverId, signal),
      asksForCounts ? counts.read() : NO_SURROUNDINGS.volumeCounts,
    ]).then(([volumes, servers, volumeCounts]) => ({ volumes, servers, volumeCounts }));
  };
}

/** Of a project only its own volumes count; an administrator's are all there are. */
async function volumesOf(
  store: Store,
  context: RequestContext,
  ids: readonly string[],
): Promise<readonly VolumePlace[]> {
  const found = await findVolumes(store, [...new Set(ids)].slice(0, MAX_VOLUMES));
  return found
    .filter(({ projectId }) => isAdmin(context) || projectId === context.projectId)
    .map(({ id, host, clusterName }) => ({ id, host, clusterName }));
}

async function serverHosts(
  compute: ComputeLookup,
  serverId: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  if (!isUuidLike(serverId)) return NO_SURROUNDINGS.servers; // the filter says what is wrong with it
  const host = await compute.hostOf(serverId, signal);
  return host === undefined ? NO_SURROUNDINGS.servers : new Map([[serverId, host]]);
}

/** The texts in a hint, which is one text or a list, as JSON. What cannot be read is the filter's to refuse. */
function textsIn(json: string | undefined): readonly string[] {
  if (json === undefined) return [];
  try {
    const hint = JSON.parse(json) as unknown;
    return (Array.isArray(hint) ? hint : [hint]).filter(
      (text): text is string => typeof text === 'string' && text !== '',
    );
  } catch {
    return [];
  }
}
