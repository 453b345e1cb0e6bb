import { DEFAULT_CLASS, findClassLimits, findLimits, type StoredLimit } from '../db/quota-limits.js';
import type { Store } from '../db/store.js';
import type { ResourceName } from './resources.js';

/** Limits by option, for projects that have no row; negative: none. Volume types have no option: no limit. */
export type DefaultLimits = Readonly<Record<ResourceName, number>>;

/** Rule: cinder/quota.py, quota_opts. */
export const DEFAULT_LIMITS: DefaultLimits = {
  volumes: 10,
  gigabytes: 1_000,
  snapshots: 10,
  backups: 10,
  backup_gigabytes: 1_000,
  groups: 10,
  per_volume_gigabytes: -1,
};

/** How limits are found. */
export interface LimitsOptions {
  readonly store: Store;
  readonly defaults: DefaultLimits;
  /** Whether rows of the class `default` come before the options. @default true */
  readonly useDefaultQuotaClass?: boolean;
  /** How old a limit may be, ms. @default 2000 */
  readonly maxAgeMs?: number;
  /** How many projects are remembered. @default 10000 */
  readonly capacity?: number;
  /** ms of a monotonic clock. @default performance.now */
  readonly now?: () => number;
}

/** One project's limits, by resource key; negative: none. */
export type LimitOf = (resource: string) => number;

/**
 * What projects may use: their own row, else the one of the caller's quota class, else the class `default`, else the option;
 * types without a row have no limit. A stored null decides nothing. Rule: cinder/quota.py, DbQuotaDriver.get_project_quotas.
 */
export class Limits {
  readonly #options: Required<LimitsOptions>;
  /** In order of use, oldest first. */
  readonly #known = new Map<string, { readonly limitOf: Promise<LimitOf>; readonly readAt: number }>();

  constructor(options: LimitsOptions) {
    this.#options = {
      useDefaultQuotaClass: true,
      maxAgeMs: 2_000,
      capacity: 10_000,
      now: () => performance.now(),
      ...options,
    };
  }

  /** `quotaClass`: the caller's, if it has one. Throws Fault DatabaseUnavailable. */
  async of(projectId: string, quotaClass?: string): Promise<LimitOf> {
    const { now, maxAgeMs, capacity } = this.#options;
    const key = quotaClass === undefined ? projectId : projectId + BETWEEN + quotaClass;
    let known = this.#known.get(key);
    if (!known || now() - known.readAt >= maxAgeMs) {
      known = { limitOf: this.#read(key, projectId, quotaClass), readAt: now() };
    }
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size > capacity) this.#known.delete(firstOf(this.#known));
    return known.limitOf;
  }

  /** Of a project that has none of its own. Read anew. Throws Fault DatabaseUnavailable. */
  async defaults(): Promise<LimitOf> {
    const { store, useDefaultQuotaClass } = this.#options;
    return this.#decided(useDefaultQuotaClass ? (await findClassLimits(store, DEFAULT_CLASS)).own : []);
  }

  /**
   * Of a class: its own row, else that of the class `default`, whatever `use_default_quota_class` says, else the option. Read
   * anew. Throws Fault DatabaseUnavailable. Rule: cinder/quota.py, DbQuotaDriver.get_class_quotas.
   */
  async ofClass(className: string): Promise<LimitOf> {
    const { own, defaultClass } = await findClassLimits(this.#options.store, className);
    return this.#decided([...defaultClass, ...own]);
  }

  /** Makes a change of a class by this process count at once. */
  forgetAll(): void {
    this.#known.clear();
  }

  /** Makes a change by this process count at once. */
  forget(projectId: string): void {
    this.#known.delete(projectId);
    for (const key of this.#known.keys()) if (key.startsWith(projectId + BETWEEN)) this.#known.delete(key);
  }

  async #read(key: string, projectId: string, quotaClass: string | undefined): Promise<LimitOf> {
    try {
      const { store, useDefaultQuotaClass } = this.#options;
      const { project, ownClass, defaultClass } = await findLimits(store, projectId, quotaClass);
      const usesDefault = useDefaultQuotaClass || quotaClass === DEFAULT_CLASS;
      return this.#decided([...(usesDefault ? defaultClass : []), ...ownClass, ...project]);
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }

  /** The last row of a resource decides, else its option. */
  #decided(rows: readonly StoredLimit[]): LimitOf {
    const limits = new Map<string, number>(Object.entries(this.#options.defaults));
    for (const { resource, hardLimit } of rows) if (hardLimit !== null) limits.set(resource, hardLimit);
    return (resource) => limits.get(resource) ?? -1;
  }
}

/** In no id of a project. */
const BETWEEN = ' ';

function firstOf(map: ReadonlyMap<string, unknown>): string {
  const [first = ''] = map.keys();
  return first;
}
