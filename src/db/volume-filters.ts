import { type RawBuilder, sql } from 'kysely';
import type { VolumeStatus } from '../objects/volume-status.js';
import { listIn, pairsIn, toPairs } from './json.js';
import type { VolumesTable } from './schema.js';
import type { Tools } from './statement.js';
import type { SortKey } from './volume-order.js';

/** What volumes must be like, all of it together; what is absent does not matter. Times in ms. */
export interface VolumeFilters {
  readonly projectId?: string;
  readonly name?: string;
  /** Part of the name, case-sensitive. */
  readonly nameContains?: string;
  /** One of them. */
  readonly statuses?: readonly VolumeStatus[];
  readonly volumeTypeId?: string;
  readonly availabilityZone?: string;
  readonly bootable?: boolean;
  readonly multiattach?: boolean;
  readonly snapshotId?: string;
  readonly sourceVolumeId?: string;
  readonly groupId?: string;
  readonly userId?: string;
  /** `host`, `host@backend` or `host@backend#pool`. */
  readonly host?: string;
  /** All of these pairs. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly createdAt?: TimeRange;
  readonly updatedAt?: TimeRange;
  /** One of them. */
  readonly ids?: readonly string[];
}

/** A time compared with others, ms; what is absent does not matter. */
export type TimeRange = Readonly<Partial<Record<(typeof COMPARISONS)[number], number>>>;

export const COMPARISONS = ['gt', 'gte', 'lt', 'lte', 'eq', 'neq'] as const;

/** A condition on a row of `volumes`: the same `shape` is the same text. */
export interface Condition {
  readonly shape: string;
  /** By name; the names are the condition's own. */
  readonly values: Readonly<Record<string, string | number>>;
  /** Whether an index that can be entered by it gives its rows in the order of this key. */
  readonly isOrderedBy: (key: SortKey) => boolean;
  /** Where its rows are together in an index: within the project, or in all; absent: nowhere. */
  readonly indexed?: 'project' | 'all';
  readonly where: (tools: Tools, p: Params, entry: Entry) => RawBuilder<boolean>;
}

/**
 * By which ends of a condition an index may be entered: of a range it may be one, when the place where a page begins is nearer
 * than the other; what is one value has both.
 */
export type Entry = 'none' | 'from' | 'to' | 'both';

/** Placeholders of a statement that is being built. */
export type Params = Readonly<Record<string, unknown>>;

type Column = keyof VolumesTable;

/** Orders that have an index within a project; see migrations/0002. */
const IN_PROJECT: ReadonlySet<SortKey> = new Set(['created_at', 'name', 'status']);

/** The conditions that the filters are. */
export function conditionsOf(filters: VolumeFilters): readonly Condition[] {
  const { projectId, statuses, host, metadata, ids, nameContains, bootable, multiattach } = filters;
  const within = equalWithin(projectId !== undefined);
  return [
    ...within('name', filters.name),
    ...(nameContains === undefined ? [] : [nameHas(nameContains)]),
    ...(statuses?.length === 1 ? within('status', statuses[0]) : []),
    ...(statuses && statuses.length !== 1 ? [oneOf('status', statuses, 'project')] : []),
    ...within('volume_type_id', filters.volumeTypeId),
    ...within('availability_zone', filters.availabilityZone),
    ...within('bootable', bootable === undefined ? undefined : Number(bootable)),
    ...(multiattach === undefined ? [] : [isMultiattach(multiattach, projectId !== undefined)]),
    ...within('snapshot_id', filters.snapshotId),
    ...within('source_volume_id', filters.sourceVolumeId),
    ...within('group_id', filters.groupId),
    ...within('user_id', filters.userId),
    ...(host === undefined ? [] : host.includes('#') ? within('host', host) : [onHost(host)]),
    ...(metadata && metadata.size > 0 ? [hasPairs(metadata)] : []),
    ...inTimes('created_at', 'project', filters.createdAt),
    ...inTimes('updated_at', 'all', filters.updatedAt),
    ...(ids ? [oneOf('id', ids)] : []),
    ...(projectId === undefined ? [] : [inProject(projectId)]),
  ];
}

/**
 * A column in a condition. SQLite has no statistics to choose by: it enters any index that a condition names, and then
 * sorts what it finds; `+` says that it may not. PostgreSQL knows how many rows a condition leaves, and decides by that.
 */
function column(name: Column, { dialect }: Tools, mayEnter: boolean): RawBuilder<unknown> {
  return dialect === 'sqlite' && !mayEnter ? sql`+${sql.ref(name)}` : sql.ref(name);
}

function inProject(projectId: string): Condition {
  return {
    shape: 'project_id',
    values: { project_id: projectId },
    indexed: 'all',
    isOrderedBy: (key) => IN_PROJECT.has(key),
    where: (tools, p, entry) => sql`${column('project_id', tools, entry !== 'none')} = ${p['project_id']}`,
  };
}

/**
 * Conditions that a column has a value. Every index ends with `created_at, id`: the rows of one value are in this order. Within
 * a project an index over all is not entered: it might have many of the value, and few of them the project's.
 */
const equalWithin =
  (isOfProject: boolean) =>
  (name: Column, value: string | number | undefined): readonly Condition[] => {
    if (value === undefined) return [];
    const indexed = IN_PROJECT.has(name as SortKey) ? 'project' : 'all';
    return [
      {
        shape: name,
        values: { [name]: value },
        indexed,
        isOrderedBy: (key) => (indexed === 'project' || !isOfProject) && (key === 'created_at' || key === name),
        where: (tools, p, entry) => sql`${column(name, tools, entry !== 'none')} = ${p[name]}`,
      },
    ];
  };

function oneOf(name: 'status' | 'id', values: readonly string[], indexed?: 'project'): Condition {
  const list = `${name}s`;
  return {
    shape: list,
    values: { [list]: JSON.stringify(values) },
    ...(indexed && { indexed }),
    isOrderedBy: () => false,
    where: (tools, p, entry) =>
      sql`${column(name, tools, entry !== 'none')} in ${listIn(tools.dialect, p[list] as string)}`,
  };
}

function nameHas(part: string): Condition {
  return {
    shape: 'name_contains',
    values: { part },
    isOrderedBy: () => false,
    where: ({ dialect }, p) =>
      dialect === 'sqlite' ? sql`instr(name, ${p['part']}) > 0` : sql`position(${p['part']} in name) > 0`,
  };
}

/** Few volumes are: the index of those few is entered by the literal. */
function isMultiattach(wanted: boolean, isOfProject: boolean): Condition {
  return {
    shape: wanted ? 'multiattach' : 'not_multiattach',
    values: {},
    ...(wanted && { indexed: 'all' }),
    isOrderedBy: (key) => wanted && !isOfProject && key === 'created_at',
    where: (tools, _p, entry) => sql`${column('multiattach', tools, entry !== 'none')} = ${sql.lit(Number(wanted))}`,
  };
}

/** The pools of a backend, or the backends of a host. `$` follows `#` and `A` follows `@` in the collation of the column. */
function onHost(host: string): Condition {
  const [separator, follower] = host.includes('@') ? ['#', '$'] : ['@', 'A'];
  return {
    shape: 'on_host',
    values: { host, from: `${host}${separator}`, to: `${host}${follower}` },
    indexed: 'all',
    isOrderedBy: (key) => key === 'host',
    where(tools, p, entry) {
      const from = column('host', tools, entry === 'both' || entry === 'from');
      const to = column('host', tools, entry === 'both' || entry === 'to');
      const other = column('host', tools, false);
      // an index is entered by the outer range; between its ends lie other hosts too, such as `host-2`
      return sql`${from} >= ${p['host']} and ${to} < ${p['to']} and (${other} = ${p['host']} or ${other} >= ${p['from']})`;
    },
  };
}

function hasPairs(pairs: ReadonlyMap<string, string>): Condition {
  return {
    shape: 'metadata',
    values: { pairs: toPairs(pairs) },
    isOrderedBy: () => false,
    where: ({ dialect }, p) => sql`not exists (
      select 1 from ${pairsIn(dialect, p['pairs'] as string)} as wanted where not exists (
        select 1 from volume_metadata as has
        where has.volume_id = volumes.id and has.key = wanted.key and has.value = wanted.value))`,
  };
}

const OPERATORS = { gt: '>', gte: '>=', lt: '<', lte: '<=', eq: '=', neq: '!=' } as const;
/** The end of the range that a comparison is. */
const ENDS = { gt: 'from', gte: 'from', lt: 'to', lte: 'to', eq: 'both', neq: 'none' } as const;

function inTimes(
  name: 'created_at' | 'updated_at',
  indexed: 'project' | 'all',
  range: TimeRange | undefined,
): readonly Condition[] {
  return COMPARISONS.flatMap((comparison): readonly Condition[] => {
    const time = range?.[comparison];
    if (time === undefined) return [];
    const shape = `${name} ${comparison}`;
    return [
      {
        shape,
        values: { [shape]: time },
        ...(comparison !== 'neq' && { indexed }),
        isOrderedBy: (key) => key === name,
        where(tools, p, entry) {
          const mayEnter = entry === 'both' || entry === ENDS[comparison];
          return sql`${column(name, tools, mayEnter)} ${sql.raw(OPERATORS[comparison])} ${p[shape]}`;
        },
      },
    ];
  });
}
