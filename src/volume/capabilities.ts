import type { DriverCapabilities, PoolCapacity } from '../drivers/driver.js';
import type { Allocations, IncludedClaim } from './allocations.js';
import type { Backend } from './backend.js';

/** Pools in one message. */
export const POOLS_A_REPORT = 500;

/** A report of a backend, or a part of one. Rule: cinder/scheduler/rpcapi.py, `update_service_capabilities`. */
export interface CapabilityReport {
  /** `host@backend`. */
  readonly host: string;
  /** Cinder's report, as JSON. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** When it was made, ms since 1970. */
  readonly timestamp: number;
  /** Shared by the parts. */
  readonly reportId: string;
  /** From 0. */
  readonly part: number;
  readonly partCount: number;
  /** Capacity claims that the figures make needless; in the first part. Rule: docs/adr/0009-capacity-claims.md. */
  readonly includedClaims: readonly IncludedClaim[];
}

/** What a report is made with. */
export interface ReportParts {
  /** ms since 1970. */
  readonly now: () => number;
  /** A new UUID. */
  readonly newId: () => string;
}

/** Reads a backend's figures and makes its report, in parts of at most 500 pools. Throws what the driver throws. */
export async function reportOf(backend: Backend, { now, newId }: ReportParts): Promise<readonly CapabilityReport[]> {
  const { driver, allocations } = backend;
  // before the figures are read: of what ends while they are read they may not know yet
  const ended = allocations.takeEnded();
  const figures = await driver.capacity().catch((error: unknown) => {
    for (const claim of ended) allocations.include(claim);
    throw error;
  });
  const includedClaims = [...ended, ...allocations.takeCounted(figures)];
  const pools = figures.map((pool) => poolReport(pool, driver.capabilities, allocations));
  const common = { host: backend.name, timestamp: now(), reportId: newId() };
  const partCount = Math.max(1, Math.ceil(pools.length / POOLS_A_REPORT));
  return Array.from({ length: partCount }, (_, part) => ({
    ...common,
    part,
    partCount,
    includedClaims: part === 0 ? includedClaims : [],
    capabilities: {
      ...backendReport(backend, driver.capabilities),
      pools: pools.slice(part * POOLS_A_REPORT, (part + 1) * POOLS_A_REPORT),
    },
  }));
}

/** The functions are their pools' too. Rule: cinder/volume/manager.py, `_append_filter_goodness_functions`. */
function backendReport({ volumeBackendName, functions }: Backend, driver: DriverCapabilities): Record<string, unknown> {
  return {
    volume_backend_name: volumeBackendName,
    filter_function: functions.filter ?? null,
    goodness_function: functions.goodness ?? null,
    vendor_name: driver.vendorName,
    driver_version: driver.driverVersion,
    storage_protocol: driver.storageProtocol,
    replication_enabled: false,
  };
}

/** `allocated_capacity_gb` is the service's own sum, never the driver's. Rule: cinder/volume/manager.py, `_append_volume_stats`. */
function poolReport(pool: PoolCapacity, driver: DriverCapabilities, allocations: Allocations): Record<string, unknown> {
  return {
    pool_name: pool.name,
    total_capacity_gb: rounded(pool.totalGib),
    free_capacity_gb: rounded(pool.freeGib),
    allocated_capacity_gb: allocations.inPool(pool.name),
    provisioned_capacity_gb: rounded(pool.provisionedGib),
    reserved_percentage: pool.reservedPercentage,
    max_over_subscription_ratio: String(pool.maxOverSubscriptionRatio),
    thin_provisioning_support: driver.thinProvisioning,
    thick_provisioning_support: driver.thickProvisioning,
    multiattach: driver.multiattach,
    QoS_support: false,
  };
}

function rounded(gib: number): number {
  return Math.round(gib * 100) / 100;
}
