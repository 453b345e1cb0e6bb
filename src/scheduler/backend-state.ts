import { listedPools } from './changed-pools.js';
import { PoolState } from './pool-state.js';
import { get, isList, isMap, isTruthy, type Value, type ValueMap } from './python/value.js';
import { poolName, type CapabilityReport } from './report.js';
import { protocolVariants } from './storage-protocol.js';
import { isSamePlace, type VolumeService } from './volume-service.js';

/** The name of the pool of a backend that reports neither pools nor a backend name. */
const DEFAULT_POOL_NAME = '_pool0';

/** A backend and its pools, in the order in which they were first reported. Rule: cinder/scheduler/host_manager.py. */
export class BackendState {
  readonly key: string;
  readonly #host: string;
  readonly #globalRatio: string;
  readonly #pools = new Map<string, PoolState>();
  #report: CapabilityReport | undefined;
  #service: VolumeService | undefined;
  /** When the report was made that the pools are of. One that comes late leaves them as they are. */
  #updatedAt: number | null = null;

  /** `host` stays the pools' host, even when another member of a cluster speaks for the backend later. */
  constructor(key: string, host: string, globalRatio: string) {
    this.key = key;
    this.#host = host;
    this.#globalRatio = globalRatio;
  }

  /** By name. */
  get pools(): ReadonlyMap<string, PoolState> {
    return this.#pools;
  }

  /** Brings the pools to a report; answers what changed: which pools there are, or only what they say. Safe to repeat. */
  apply(report: CapabilityReport, service: VolumeService): 'none' | 'figures' | 'pools' {
    const isKnown = report === this.#report && this.#service !== undefined && isSamePlace(service, this.#service);
    this.#report = report;
    this.#service = service;
    if (isKnown || this.#isLate(report)) return 'none';

    this.#updatedAt = report.timestamp;
    const entries = poolEntries(report);
    const cameAny = [...entries].map(([name, entry]) => this.#applyPool(name, entry, report, service)).includes(true);
    const listed = listings(report);
    for (const pool of this.#pools.values()) {
      pool.timesListed = listed.get(pool.name) ?? 1;
      pool.clockAheadMs = report.clockAheadMs ?? 0;
    }
    const gone = [...this.#pools.keys()].filter((name) => !entries.has(name));
    for (const name of gone) this.#pools.delete(name);
    return cameAny || gone.length > 0 ? 'pools' : 'figures';
  }

  /** Gives a pool the figures of its report again, unless they changed after the report was made. */
  reapply(pool: PoolState): void {
    const [report, service] = [this.#report, this.#service];
    if (report === undefined || service === undefined || this.#isLate(report)) return;
    if (this.#pools.get(pool.name) === pool) this.#applyPool(pool.name, pool.capabilities, report, service);
  }

  #applyPool(name: string, capabilities: ValueMap, report: CapabilityReport, service: VolumeService): boolean {
    const known = this.#pools.get(name);
    const pool = known ?? new PoolState(this.#host, service.clusterName, name, service);
    if (known === undefined) this.#pools.set(name, pool);
    pool.apply(capabilities, ownTimestamp(capabilities) ?? report.timestamp, service, this.#globalRatio);
    return known === undefined;
  }

  #isLate({ timestamp }: CapabilityReport): boolean {
    return this.#updatedAt !== null && this.#updatedAt > timestamp;
  }
}

/** The pools of a report by name, each with what it inherits. A backend without a list is itself its only pool. */
function poolEntries({ capabilities: backend, timestamp }: CapabilityReport): Map<string, ValueMap> {
  const pools = get(backend, 'pools') ?? null;
  if (pools === null) {
    const name = get(backend, 'volume_backend_name');
    // its age is that of the report, whatever it says itself
    const pool = inherit({ ...backend, timestamp }, backend, timestamp);
    return new Map([[typeof name === 'string' ? name : DEFAULT_POOL_NAME, pool]]);
  }
  if (!isList(pools)) return new Map();
  return new Map(pools.filter(isMap).map((pool) => [poolName(pool), inherit(pool, backend, timestamp)]));
}

/** How often each pool is listed that is so more than once. */
function listings({ capabilities }: CapabilityReport): ReadonlyMap<string, number> {
  const [seen, repeated] = [new Set<string>(), new Map<string, number>()];
  for (const name of (listedPools(capabilities) ?? []).map(poolName)) {
    if (seen.has(name)) repeated.set(name, (repeated.get(name) ?? 1) + 1);
    seen.add(name);
  }
  return repeated;
}

/** What a pool says of itself, completed by what its backend says. */
function inherit(pool: ValueMap, backend: ValueMap, timestamp: number): ValueMap {
  // Not spread: V8 takes eight times as long to add keys to a spread object, and there are thousands of pools.
  const completed: Record<string, Value> = Object.assign({}, pool, {
    volume_backend_name: firstTruthy(pool, backend, 'volume_backend_name'),
    vendor_name: firstTruthy(pool, backend, 'vendor_name'),
    driver_version: firstTruthy(pool, backend, 'driver_version'),
    storage_protocol: protocolVariants(firstTruthy(pool, backend, 'storage_protocol')),
    timestamp: firstTruthy(pool, { timestamp }, 'timestamp'),
  });
  for (const key of FUNCTIONS) {
    const inherited = get(backend, key);
    // Unlike a name, a function that the pool sets to null is not inherited.
    if (inherited !== undefined && !Object.hasOwn(pool, key)) completed[key] = inherited;
  }
  return completed;
}

const FUNCTIONS = ['filter_function', 'goodness_function'] as const;

function firstTruthy(pool: ValueMap, backend: ValueMap, key: string): Value {
  const own = get(pool, key);
  return (isTruthy(own) ? own : get(backend, key)) ?? null;
}

function ownTimestamp(capabilities: ValueMap): number | undefined {
  const timestamp = get(capabilities, 'timestamp');
  return typeof timestamp === 'number' && Number.isFinite(timestamp) ? timestamp : undefined;
}
