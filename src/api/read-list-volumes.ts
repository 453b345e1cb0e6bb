import { COMPARISONS, type TimeRange, type VolumeFilters } from '../db/volume-filters.js';
import { NEWEST_FIRST } from '../db/volume-list.js';
import { SORT_KEYS, type SortKey, type VolumeOrder } from '../db/volume-order.js';
import type {
  ListVolumesRequest,
  TimeFilter,
  VolumeFilter,
  VolumeStatus as Wire,
} from '../gen/cinder/api/v3/volumes.js';
import type { RequestContext } from '../objects/request-context.js';
import { VOLUME_STATUSES, type VolumeStatus } from '../objects/volume-status.js';
import { demand } from './policy.js';
import { projectOf } from './project-scope.js';
import { Violations } from './validation.js';
import { statusOf } from './views/volume-view.js';

/** A well-formed ListVolumes. */
export interface ListVolumes {
  readonly pageSize: number;
  readonly order: VolumeOrder;
  /** All but the type, whose id is not known yet. */
  readonly filters: VolumeFilters;
  /** Id or name; absent: any type. */
  readonly volumeType?: string;
}

const MAX_IDS = 1_000;
const MAX_PAIRS = 16;

/**
 * Reads a ListVolumes. Throws PolicyNotAuthorized for what only administrators may ask; InvalidInput with every bad field.
 * Rule: the resource filters of cinder/api/v3/volumes.py.
 */
export function readListVolumes(request: ListVolumesRequest, context: RequestContext): ListVolumes {
  const { filter } = request;
  const projectId = scopeOf(filter, context);
  const bad = new Violations();
  const pageSize = bad.pageSize('page_size', request.pageSize);
  const order = readSort(request.sort, bad);
  if (filter?.host !== undefined || order.key === 'host') demand('volume_extension:volume_host_attribute', context);
  const filters = { ...(projectId !== undefined && { projectId }), ...(filter && readFilter(filter, bad)) };
  bad.check();
  return { pageSize, order, filters, ...(filter?.volumeType !== undefined && { volumeType: filter.volumeType }) };
}

/** The project whose volumes are meant; undefined: those of all projects. */
function scopeOf(filter: VolumeFilter | undefined, context: RequestContext): string | undefined {
  if (filter?.projectId === undefined && !filter?.allProjects)
    return projectOf(context, 'filter.all_projects or filter.project_id');
  demand('volume:get_all:all_projects', context);
  return filter.projectId;
}

/** `key:direction`, as in Cinder; without a direction: descending. */
function readSort(sort: string, bad: Violations): VolumeOrder {
  if (sort === '') return NEWEST_FIRST;
  const [key, direction = 'desc', ...rest] = sort.split(':');
  if (sort.includes(',')) bad.add('sort', 'must have one key');
  else if (!isSortKey(key)) bad.add('sort', `must begin with one of ${SORT_KEYS.join(', ')}`);
  else if ((direction !== 'asc' && direction !== 'desc') || rest.length > 0) {
    bad.add('sort', `must end with ":asc" or ":desc" after ${key}`);
  } else return { key, direction };
  return NEWEST_FIRST;
}

function isSortKey(key: string | undefined): key is SortKey {
  return (SORT_KEYS as readonly (string | undefined)[]).includes(key);
}

const UUIDS = { snapshotId: 'snapshot_id', sourceVolumeId: 'source_volume_id', groupId: 'group_id' } as const;
const TEXTS = { name: 'name', availabilityZone: 'availability_zone', userId: 'user_id', host: 'host' } as const;
const FLAGS = ['bootable', 'multiattach'] as const;

function readFilter(filter: VolumeFilter, bad: Violations): VolumeFilters {
  const { nameContains, statuses, metadata, ids, volumeType, projectId } = filter;
  for (const [field, name] of entries(UUIDS)) ifGiven(filter[field], (id) => bad.uuid(`filter.${name}`, id));
  for (const [field, name] of entries(TEXTS)) {
    ifGiven(filter[field], (text) => bad.text(`filter.${name}`, text, field === 'name' ? 0 : 1, 255));
  }
  ifGiven(nameContains, (part) => bad.text('filter.name_contains', part, 3, 255));
  ifGiven(volumeType, (type) => bad.text('filter.volume_type', type, 1, 255));
  ifGiven(projectId, (id) => bad.projectId('filter.project_id', id));
  bad.metadata('filter.metadata', metadata, MAX_PAIRS);
  if (ids.length > MAX_IDS) bad.add('filter.ids', `must be at most ${MAX_IDS}`);
  else ids.forEach((id, index) => bad.uuid(`filter.ids[${index}]`, id));
  const createdAt = readTimes('filter.created_at', filter.createdAt, bad);
  const updatedAt = readTimes('filter.updated_at', filter.updatedAt, bad);
  return {
    ...picked(filter, [...keys(UUIDS), ...keys(TEXTS), ...FLAGS]),
    ...(nameContains !== undefined && { nameContains }),
    ...(statuses.length > 0 && { statuses: readStatuses(statuses, bad) }),
    ...(metadata.size > 0 && { metadata }),
    ...(ids.length > 0 && { ids: [...new Set(ids)] }),
    ...(createdAt && { createdAt }),
    ...(updatedAt && { updatedAt }),
  };
}

function readStatuses(wire: readonly Wire[], bad: Violations): readonly VolumeStatus[] {
  const wanted = new Set<VolumeStatus>();
  for (const [index, value] of wire.entries()) {
    const status = statusOf(value);
    if (status) wanted.add(status);
    else bad.add(`filter.statuses[${index}]`, 'is not a status of volumes');
  }
  // in one order, so that the same statuses are the same list
  return VOLUME_STATUSES.filter((status) => wanted.has(status));
}

/** Rule: cinder/api/common.py, `validate_integer` and the comparisons of `get_time_comparison_operators`. */
function readTimes(field: string, times: TimeFilter | undefined, bad: Violations): TimeRange | undefined {
  if (!times) return undefined;
  const range: Partial<Record<(typeof COMPARISONS)[number], number>> = {};
  for (const comparison of COMPARISONS) {
    const at = times[comparison]?.getTime();
    if (at === undefined) continue;
    if (Number.isFinite(at)) range[comparison] = at;
    else bad.add(`${field}.${comparison}`, 'must be a time from year 1 to year 9999');
  }
  if (COMPARISONS.every((comparison) => times[comparison] === undefined)) {
    bad.add(field, `must have one of ${COMPARISONS.join(', ')}`);
  }
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  if (Math.max(gt + 1, gte) > Math.min(lt - 1, lte)) bad.add(field, 'must not end before it begins');
  return range;
}

function ifGiven<T>(value: T | undefined, use: (value: T) => void): void {
  if (value !== undefined) use(value);
}

/** These properties, those of them that are there. */
function picked<T extends object, K extends keyof T>(from: T, names: readonly K[]): Given<Pick<T, K>> {
  return Object.fromEntries(
    names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]),
  ) as Given<Pick<T, K>>;
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function entries<K extends string, V>(table: Readonly<Record<K, V>>): readonly (readonly [K, V])[] {
  return Object.entries(table) as [K, V][];
}

function keys<K extends string>(table: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(table) as K[];
}
