import { join } from 'node:path';

import { asTable, environmentName, type Source } from './option.js';
import { SCHEMA, type Config } from './schema.js';
import { didYouMean } from './suggest.js';

/** One pool of a backend, with every default resolved. */
export interface PoolOptions {
  readonly name: string;
  /** Capacity to report instead of the file system's, in GiB. */
  readonly capacityGib?: number;
  /** Part that is never given out, in percent. */
  readonly reservedPercentage: number;
  /** `auto`, or a number as text. */
  readonly maxOverSubscriptionRatio: string;
}

/** One backend of this host, with every default resolved. */
export interface BackendOptions {
  /** Name after the `@` in host@backend#pool. */
  readonly name: string;
  readonly driver: 'file';
  /** Folder of its volumes. */
  readonly path: string;
  /** What volume types ask for; several backends may share one. */
  readonly volumeBackendName: string;
  readonly availabilityZone: string;
  /** What DriverFilter asks of its pools. Rule: cinder/scheduler/filters/driver_filter.py. */
  readonly filterFunction?: string;
  /** How GoodnessWeigher weighs its pools. Rule: cinder/scheduler/weights/goodness.py. */
  readonly goodnessFunction?: string;
  readonly pools: readonly PoolOptions[];
}

/** Reads an expression. Throws what is wrong with it. */
export type ParseFunction = (text: string) => unknown;

/** A value with its origin. */
export interface Given {
  readonly raw: unknown;
  readonly source: Source;
}

/** What there is to say about an option of a table, in words. */
export interface TableOption {
  readonly domain: string;
  readonly defaultText: string;
  readonly help: string;
}

/** Every option of a table `[backends.NAME]`. A pool, which may be a table too, has its own of the three figures. */
export const BACKEND_OPTIONS: Readonly<Record<string, TableOption>> = {
  driver: { domain: 'file', defaultText: 'file', help: 'What makes its volumes.' },
  path: { domain: 'text', defaultText: '<data_dir>/volumes/<name>', help: 'Folder of its volumes.' },
  pools: {
    domain: 'list of names or tables',
    defaultText: 'pool',
    help: "Its pools, one folder each; a table has name and a pool's own figures.",
  },
  volume_backend_name: {
    domain: 'text',
    defaultText: "the backend's name",
    help: 'What volume types ask for; several backends may share one.',
  },
  availability_zone: { domain: 'text', defaultText: 'storage_availability_zone', help: 'Zone of its volumes.' },
  capacity_gib: {
    domain: 'number, above 0 GiB',
    defaultText: "the file system's",
    help: "Capacity to report instead of the file system's.",
  },
  reserved_percentage: {
    domain: SCHEMA.reservedPercentage.domain,
    defaultText: 'reserved_percentage',
    help: SCHEMA.reservedPercentage.help,
  },
  max_over_subscription_ratio: {
    domain: SCHEMA.maxOverSubscriptionRatio.domain,
    defaultText: 'max_over_subscription_ratio',
    help: SCHEMA.maxOverSubscriptionRatio.help,
  },
  filter_function: {
    domain: SCHEMA.filterFunction.domain,
    defaultText: 'filter_function',
    help: SCHEMA.filterFunction.help,
  },
  goodness_function: {
    domain: SCHEMA.goodnessFunction.domain,
    defaultText: 'goodness_function',
    help: SCHEMA.goodnessFunction.help,
  },
};
const SHARED_WITH_POOLS = ['capacity_gib', 'reserved_percentage', 'max_over_subscription_ratio'] as const;
const TABLE_KEYS: readonly string[] = Object.keys(BACKEND_OPTIONS);
const POOL_KEYS: readonly string[] = ['name', ...SHARED_WITH_POOLS];

const NAME = /^[A-Za-z0-9_.-]{1,100}$/;
const NAME_SHAPE = 'must be 1 to 100 letters, digits, _ . or -';

/** Environment names of a backend's options, with the option each stands for. */
export function backendEnvironment(backend: string): ReadonlyMap<string, string> {
  return new Map(TABLE_KEYS.map((key) => [environmentName(`backends.${backend}.${key}`), key]));
}

/** A backend's options as they are written, for `config show`. */
export function showBackend(backend: BackendOptions): Readonly<Record<string, string>> {
  const { driver, path, volumeBackendName, availabilityZone, filterFunction, goodnessFunction, pools } = backend;
  const figures = pools.map(({ name, capacityGib, reservedPercentage, maxOverSubscriptionRatio }) => ({
    name,
    ...(capacityGib !== undefined && { capacity_gib: capacityGib }),
    reserved_percentage: reservedPercentage,
    max_over_subscription_ratio: maxOverSubscriptionRatio,
  }));
  return {
    driver,
    path,
    volume_backend_name: volumeBackendName,
    availability_zone: availabilityZone,
    filter_function: filterFunction ?? '',
    goodness_function: goodnessFunction ?? '',
    pools: JSON.stringify(figures),
  };
}

/** Reads one backend. What is wrong is told to `problem` as (name of the option, what would be right). */
export function readBackend(
  name: string,
  given: ReadonlyMap<string, Given>,
  config: Omit<Config, 'backends'>,
  problem: (option: string, description: string, source?: Source) => void,
  parseFunction: ParseFunction,
): BackendOptions {
  const at = `backends.${name}`;
  if (!NAME.test(name)) problem('enabled_backends', `'${name}' ${NAME_SHAPE}`);
  for (const [key, { source }] of given) {
    if (!TABLE_KEYS.includes(key)) problem(`${at}.${key}`, `is unknown${didYouMean(key, TABLE_KEYS)}`, source);
  }
  const value = <T>(key: string, fallback: T, read: (raw: unknown) => T): T => {
    const found = given.get(key);
    return found === undefined ? fallback : attempt(() => read(found.raw), fallback, `${at}.${key}`, found.source);
  };
  const attempt = <T>(read: () => T, fallback: T, option: string, source?: Source): T => {
    try {
      return read();
    } catch (error) {
      problem(option, (error as Error).message, source);
      return fallback;
    }
  };

  const shared: Omit<PoolOptions, 'name'> = {
    ...capacity(value('capacity_gib', undefined, readCapacity)),
    reservedPercentage: value('reserved_percentage', config.reservedPercentage, SCHEMA.reservedPercentage.read),
    maxOverSubscriptionRatio: value(
      'max_over_subscription_ratio',
      config.maxOverSubscriptionRatio,
      SCHEMA.maxOverSubscriptionRatio.read,
    ),
  };
  const pools = value<readonly unknown[]>('pools', ['pool'], readPools).map((pool, index) =>
    attempt(() => readPool(pool, shared), { ...shared, name: `pool${index}` }, `${at}.pools[${index}]`),
  );
  if (new Set(pools.map((pool) => pool.name)).size !== pools.length) problem(`${at}.pools`, 'names a pool twice');

  const readFunction = (raw: unknown): string => {
    const text = readText(raw);
    parseFunction(text);
    return text;
  };
  const filterFunction = value('filter_function', config.filterFunction, readFunction);
  const goodnessFunction = value('goodness_function', config.goodnessFunction, readFunction);

  return Object.freeze({
    name,
    driver: value('driver', 'file', readDriver),
    path: value('path', join(config.dataDir, 'volumes', name), readText),
    volumeBackendName: value('volume_backend_name', name, readText),
    availabilityZone: value('availability_zone', config.storageAvailabilityZone, readText),
    ...(filterFunction !== undefined && { filterFunction }),
    ...(goodnessFunction !== undefined && { goodnessFunction }),
    pools: Object.freeze(pools.map((pool) => Object.freeze(pool))),
  });
}

function readPool(raw: unknown, shared: Omit<PoolOptions, 'name'>): PoolOptions {
  const table = typeof raw === 'string' ? { name: raw } : asTable(raw);
  const unknown = Object.keys(table).find((key) => !POOL_KEYS.includes(key));
  if (unknown !== undefined) throw new Error(`has an unknown option ${unknown}${didYouMean(unknown, POOL_KEYS)}`);
  const { name } = table;
  if (typeof name !== 'string' || !NAME.test(name)) throw new Error(`name ${NAME_SHAPE}`);
  return {
    name,
    ...shared,
    ...capacity(own(table, 'capacity_gib', shared.capacityGib, readCapacity)),
    reservedPercentage: own(table, 'reserved_percentage', shared.reservedPercentage, SCHEMA.reservedPercentage.read),
    maxOverSubscriptionRatio: own(
      table,
      'max_over_subscription_ratio',
      shared.maxOverSubscriptionRatio,
      SCHEMA.maxOverSubscriptionRatio.read,
    ),
  };
}

/** A pool's own value, else the one it shares with its backend. The error of a bad one names it. */
function own<T>(table: Readonly<Record<string, unknown>>, key: string, shared: T, read: (raw: unknown) => T): T {
  if (table[key] === undefined) return shared;
  try {
    return read(table[key]);
  } catch (error) {
    throw new Error(`${key} ${(error as Error).message}`, { cause: error });
  }
}

function readPools(raw: unknown): readonly unknown[] {
  const pools: unknown = typeof raw === 'string' ? raw.split(',').map((name) => name.trim()) : raw;
  if (!Array.isArray(pools) || pools.length === 0) throw new Error('must be a list of names or tables, not empty');
  return pools as unknown[];
}

function readCapacity(raw: unknown): number {
  const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
  if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value)) {
    throw new Error('must be a number above 0, in GiB');
  }
  return value;
}

function capacity(capacityGib: number | undefined): { readonly capacityGib?: number } {
  return capacityGib === undefined ? {} : { capacityGib };
}

function readDriver(raw: unknown): 'file' {
  if (raw !== 'file') throw new Error("must be 'file', the only driver there is");
  return raw;
}

function readText(raw: unknown): string {
  if (typeof raw !== 'string' || raw === '') throw new Error('must be text that is not empty');
  return raw;
}
