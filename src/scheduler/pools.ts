import { BackendState } from './backend-state.js';
import { capacityNotice, type CapacityNotice } from './capacity-usage.js';
import { provisionedCapacity } from './capacity.js';
import { changedPools } from './changed-pools.js';
import { PoolIndex } from './pool-index.js';
import type { PoolState } from './pool-state.js';
import type { PoolTable } from './pool-table.js';
import { operand } from './python/number.js';
import { get, type ValueMap } from './python/value.js';
import { checkReport, reportKey, type CapabilityReport } from './report.js';
import { unusable } from './unusable.js';
import { backendKeyOf, type VolumeService } from './volume-service.js';

/** What the pools need to know of the world. */
export interface PoolsOptions {
  /** A decimal, or `auto`; for pools that report none. @default '20.0' */
  readonly maxOverSubscriptionRatio: string;
  /** Now, ms. */
  readonly now: () => number;
}

/** Reports kept of backends that no living service speaks for; the oldest of them go first. */
const MAX_KEPT_REPORTS = 10_000;

/** A report that was never made, for comparisons. */
const NO_REPORT = { timestamp: null, capabilities: {} } as const;

/**
 * The pools of the living backends, in memory: reports and placements go in, the pools of the next decision come out.
 * Work is done where something changed; a decision that follows no change costs nothing here.
 * Rule: cinder/scheduler/host_manager.py, `HostManager`.
 */
export class Pools {
  readonly #options: PoolsOptions;
  readonly #reports = new Map<string, CapabilityReport>();
  /** What changes are announced against. */
  readonly #baselines = new Map<string, CapabilityReport | typeof NO_REPORT>();
  /** Insertion order is the order of the pools, and that breaks ties of weight. */
  readonly #backends = new Map<string, BackendState>();
  /** Pools whose figures moved since the last refresh. */
  readonly #moved = new Map<PoolState, BackendState>();
  /** Reports that pools were made of. */
  readonly #applied = new WeakSet<CapabilityReport>();
  #services: readonly VolumeService[] = [];
  #silent = new Set<string>();
  #isStale = true;
  /** Backends with other reports or services than the table has seen. */
  readonly #renewed = new Set<BackendState>();
  #index = new PoolIndex([]);
  /** Whether no pool came or went since the index was made. */
  #isIndexed = true;

  constructor(options: PoolsOptions) {
    this.#options = options;
  }

  /** Replaces the list of services, in the database's order. Seen by the next `list`. */
  setServices(services: readonly VolumeService[]): void {
    this.#services = services;
    this.#isStale = true;
  }

  /** Throws InvalidInput for a report that makes no pools, or pools that cannot be compared. */
  check(report: CapabilityReport): void {
    checkReport(report, this.#options.maxOverSubscriptionRatio);
  }

  /**
   * Takes a report; answers whether it was taken, which one strictly older than the last is not. Throws as `check`. Safe to
   * repeat.
   */
  report(report: CapabilityReport): boolean {
    this.check(report);
    const key = reportKey(report);
    const stored = this.#reports.get(key);
    if (stored !== undefined && report.timestamp < stored.timestamp) return false;

    const isFirst = this.#baselines.size === 0;
    this.#moveBaseline(key, stored, report);
    this.#makeRoomFor(key);
    this.#reports.set(key, report);
    this.#silent.delete(key);
    this.#isStale = true;
    if (isFirst) this.#refreshBackends();
    return true;
  }

  /**
   * Takes a report for its changes; answers what is to be announced, undefined when nothing changed. Throws as `check`, and
   * UnusableCapability for figures that cannot be summed up.
   */
  notify(report: CapabilityReport): CapacityNotice | undefined {
    this.check(report);
    const { maxOverSubscriptionRatio } = this.#options;
    const key = reportKey(report);
    const changed = this.#changes(key, report);
    if (changed === undefined) return undefined;
    this.#baselines.set(key, report);
    try {
      return capacityNotice(key, report, changed, maxOverSubscriptionRatio);
    } catch (error) {
      throw unusable(error, key, 'The scheduler');
    }
  }

  /** The pools of all living, enabled backends that have reported. The list is valid until the next call. */
  list(): readonly PoolState[] {
    this.#refresh();
    return this.#index.pools;
  }

  /** The same, with what stands ready for decisions beside them. Valid until the next call. */
  table(): PoolTable {
    this.#refresh();
    return this.#index.table;
  }

  /** A pool by `backendId`, as it stands. */
  find(backendId: string): PoolState | undefined {
    return this.#indexed().at(backendId)?.pool;
  }

  /** Takes room for a volume that was just placed; answers whether the pool is known. Throws UnusableCapability. */
  consume(backendId: string, sizeGib: number): boolean {
    const pool = this.#take(backendId, sizeGib);
    if (pool !== undefined) pool.updatedAt = this.#options.now();
    return pool !== undefined;
  }

  /** Gives back the room of a volume that was not made after all. A pool that is gone needs none. Throws as `consume`. */
  revert(backendId: string, sizeGib: number): void {
    this.#take(backendId, -sizeGib);
  }

  /**
   * Takes what others have claimed of a pool since the report that was made at `reportedAt`, until the next one. A hint that
   * saves lost claims: it is ignored for another report than the pool has. Throws UnusableCapability.
   */
  learn(backendId: string, reportedAt: number, claimedGib: number): void {
    const pool = this.find(backendId);
    if (pool === undefined || get(pool.capabilities, 'timestamp') !== reportedAt) return;
    const reported = operand(provisionedCapacity(pool.capabilities));
    const missing = claimedGib - (operand(pool.provisionedCapacityGb) - reported);
    if (missing <= 0) return;
    this.#take(backendId, missing);
    // so that this report does not bring the room back, and any later one counts
    pool.updatedAt = Math.max(pool.updatedAt ?? 0, reportedAt + 1);
  }

  /** Backends that are up and have not reported, by key, as of the last refresh. */
  get silentBackends(): ReadonlySet<string> {
    return this.#silent;
  }

  /** When the oldest report among the backends that can be placed on was made, ms; undefined: there is none. */
  get oldestReportAt(): number | undefined {
    let oldest: number | undefined;
    for (const key of this.#backends.keys()) {
      const report = this.#reports.get(key);
      if (report !== undefined && report.timestamp < (oldest ?? Infinity)) oldest = report.timestamp;
    }
    return oldest;
  }

  /** Whether every living backend has reported; true when there is none. */
  get hasAllCapabilities(): boolean {
    return this.#silent.size === 0;
  }

  /** Whether a scheduler that just started knows enough to work. */
  get firstReceiveCapabilities(): boolean {
    return this.#baselines.size > 0 && this.#backends.size > 0 && this.#silent.size === 0;
  }

  #take(backendId: string, sizeGib: number): PoolState | undefined {
    const found = this.#indexed().at(backendId);
    if (found === undefined) return undefined;
    try {
      found.pool.take(sizeGib);
    } catch (error) {
      throw unusable(error, backendId, 'The scheduler');
    }
    this.#moved.set(found.pool, found.backend);
    return found.pool;
  }

  /** A report that changed nothing makes the one before it what the next changes are measured against. */
  #moveBaseline(key: string, stored: CapabilityReport | undefined, report: CapabilityReport): void {
    if (changedPools(stored?.capabilities ?? {}, report.capabilities).length > 0) return;
    const baseline = this.#baselines.get(key)?.timestamp ?? null;
    if (stored === undefined || baseline === null || baseline < stored.timestamp) {
      this.#baselines.set(key, stored ?? NO_REPORT);
    }
  }

  /** The changed pools to announce; undefined when nothing changed. */
  #changes(key: string, report: CapabilityReport): readonly ValueMap[] | undefined {
    const stored = this.#reports.get(key);
    if (stored === undefined) return orNone(changedPools({}, report.capabilities));
    if (report.timestamp <= stored.timestamp) return undefined;
    const changed = changedPools(stored.capabilities, report.capabilities);
    if (changed.length > 0) return changed;
    const earlier = orNone(changedPools((this.#baselines.get(key) ?? NO_REPORT).capabilities, stored.capabilities));
    // Cinder completes the pools of a report where they are stored, and so no longer finds them in the one that follows.
    return earlier !== undefined && this.#applied.has(stored) ? [] : earlier;
  }

  #makeRoomFor(key: string): void {
    if (this.#reports.size < MAX_KEPT_REPORTS || this.#reports.has(key)) return;
    const oldest = [...this.#reports.keys()].find((kept) => !this.#backends.has(kept));
    if (oldest === undefined) return;
    this.#reports.delete(oldest);
    this.#baselines.delete(oldest);
  }

  #refresh(): void {
    if (this.#isStale) this.#refreshBackends();
    for (const [pool, backend] of this.#moved) backend.reapply(pool);
    const { table } = this.#indexed();
    for (const backend of this.#renewed) for (const { backendId } of backend.pools.values()) table.renew(backendId);
    for (const { backendId } of this.#moved.keys()) table.measure(backendId);
    this.#renewed.clear();
    this.#moved.clear();
  }

  #refreshBackends(): void {
    const silent = new Set<string>();
    const active = new Set<string>();
    for (const service of this.#services) {
      const key = backendKeyOf(service);
      if (!service.up || service.disabled || service.frozen || active.has(key)) continue;
      // A service that has just joined a cluster may have reported under its own name only.
      const report = this.#reports.get(key) ?? this.#reports.get(service.host);
      if (report === undefined) {
        silent.add(key);
        continue;
      }
      active.add(key);
      const backend = this.#backend(key, service);
      const change = backend.apply(report, service);
      if (change === 'pools') this.#isIndexed = false;
      if (change === 'none') continue;
      this.#renewed.add(backend);
      this.#applied.add(report);
    }
    for (const key of this.#backends.keys()) {
      if (!active.has(key) && this.#backends.delete(key)) this.#isIndexed = false;
    }
    this.#silent = silent;
    this.#isStale = false;
  }

  #backend(key: string, service: VolumeService): BackendState {
    const known = this.#backends.get(key);
    if (known !== undefined) return known;
    const backend = new BackendState(key, service.host, this.#options.maxOverSubscriptionRatio);
    this.#backends.set(key, backend);
    return backend;
  }

  #indexed(): PoolIndex {
    if (!this.#isIndexed) this.#index = new PoolIndex(this.#backends.values(), this.#index);
    this.#isIndexed = true;
    return this.#index;
  }
}

function orNone<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
