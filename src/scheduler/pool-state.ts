import { withPool } from '../objects/backend-name.js';
import { figure, isUnmeasured, maxOverSubscriptionRatio, provisionedCapacity } from './capacity.js';
import { type Oddity, oddFigures, timesOverAllocated } from './odd-figures.js';
import { operand } from './python/number.js';
import type { Value, ValueMap } from './python/value.js';
import type { VolumeService } from './volume-service.js';

/**
 * A pool as filters and weighers see it: what its backend reported, less what was placed on it since. Figures in GiB
 * (Cinder's `_gb`); any of them may be `infinite`, `unknown` or whatever else a driver sent.
 */
export interface Pool {
  readonly name: string;
  /** `host@backend#pool`. */
  readonly host: string;
  /** `cluster@backend#pool`, or null. */
  readonly clusterName: string | null;
  /** The cluster's name, or else the host's; both with the pool. */
  readonly backendId: string;
  readonly service: VolumeService;
  /** As last reported; placements do not change it. */
  readonly capabilities: ValueMap;
  readonly volumeBackendName: Value;
  readonly vendorName: Value;
  readonly driverVersion: Value;
  readonly storageProtocol: Value;
  readonly totalCapacityGb: Value;
  readonly freeCapacityGb: Value;
  readonly allocatedCapacityGb: Value;
  readonly provisionedCapacityGb: Value;
  readonly reservedPercentage: Value;
  readonly qosSupport: Value;
  readonly thinProvisioningSupport: Value;
  readonly thickProvisioningSupport: Value;
  readonly multiattach: Value;
  readonly maxOverSubscriptionRatio: number;
  readonly filterFunction: Value;
  readonly goodnessFunction: Value;
  /** When the figures were reported or last consumed, ms; null: never. */
  readonly updatedAt: number | null;
}

/** The one place that changes a pool's figures. Rule: cinder/scheduler/host_manager.py, `PoolState`. */
export class PoolState implements Pool {
  readonly name: string;
  readonly host: string;
  readonly clusterName: string | null;
  readonly backendId: string;
  service: VolumeService;
  capabilities: ValueMap = {};
  volumeBackendName: Value = null;
  vendorName: Value = null;
  driverVersion: Value = null;
  storageProtocol: Value = null;
  totalCapacityGb: Value = 0;
  freeCapacityGb: Value = 0;
  allocatedCapacityGb: Value = 0;
  provisionedCapacityGb: Value = 0;
  reservedPercentage: Value = 0;
  qosSupport: Value = false;
  thinProvisioningSupport: Value = false;
  thickProvisioningSupport: Value = false;
  multiattach: Value = false;
  maxOverSubscriptionRatio = 1;
  filterFunction: Value = null;
  goodnessFunction: Value = 0;
  updatedAt: number | null = null;
  /** When the capabilities were reported, ms. */
  reportedAt = -Infinity;
  /** How far the clock of whoever reported is ahead of ours, ms; negative: behind; 0: they agree. */
  clockAheadMs = 0;
  /** How often the report lists the pool; the last one counts. */
  timesListed = 1;
  /** What is strange about the figures as reported. */
  oddFigures: readonly Oddity[] = [];
  /** Reports in a row by which the same is allocated, and more than provisioned. */
  #timesOverAllocated = 0;

  constructor(host: string, clusterName: string | null, name: string, service: VolumeService) {
    this.name = name;
    this.host = withPool(host, name);
    this.clusterName = clusterName === null ? null : withPool(clusterName, name);
    this.backendId = this.clusterName ?? this.host;
    this.service = service;
  }

  /**
   * Takes a report, stamped in ms. The capabilities always become those of the report; figures that changed after it
   * was made stay.
   */
  apply(capabilities: ValueMap, timestamp: number, service: VolumeService, globalRatio: string): void {
    if (capabilities !== this.capabilities) this.#lookAt(capabilities, timestamp);
    this.capabilities = capabilities;
    this.service = service;
    this.reportedAt = timestamp;
    if (this.updatedAt !== null && this.updatedAt > timestamp) return;

    const reported = (key: string, missing: Value): Value => figure(capabilities, key, missing);
    this.volumeBackendName = reported('volume_backend_name', null);
    this.vendorName = reported('vendor_name', null);
    this.driverVersion = reported('driver_version', null);
    this.storageProtocol = reported('storage_protocol', null);
    this.totalCapacityGb = reported('total_capacity_gb', 0);
    this.freeCapacityGb = reported('free_capacity_gb', 0);
    this.allocatedCapacityGb = reported('allocated_capacity_gb', 0);
    this.provisionedCapacityGb = provisionedCapacity(capabilities);
    this.reservedPercentage = reported('reserved_percentage', 0);
    this.qosSupport = reported('QoS_support', false);
    this.thinProvisioningSupport = reported('thin_provisioning_support', false);
    this.thickProvisioningSupport = reported('thick_provisioning_support', false);
    this.multiattach = reported('multiattach', false);
    this.maxOverSubscriptionRatio = maxOverSubscriptionRatio(capabilities, globalRatio);
    this.filterFunction = reported('filter_function', null);
    this.goodnessFunction = reported('goodness_function', 0);
    this.updatedAt = timestamp;
  }

  /** Takes `sizeGib` from the pool's room until the next report; a negative size gives it back. Throws PythonError. */
  take(sizeGib: number): void {
    const isUncounted = isUnmeasured(this.freeCapacityGb) || this.freeCapacityGb === null;
    const free = isUncounted ? this.freeCapacityGb : operand(this.freeCapacityGb) - sizeGib;
    const allocated = operand(this.allocatedCapacityGb) + sizeGib;
    const provisioned = operand(this.provisionedCapacityGb) + sizeGib;
    this.freeCapacityGb = free;
    this.allocatedCapacityGb = allocated;
    this.provisionedCapacityGb = provisioned;
  }

  #lookAt(capabilities: ValueMap, timestamp: number): void {
    if (timestamp > this.reportedAt) {
      this.#timesOverAllocated = timesOverAllocated(this.#timesOverAllocated, this.capabilities, capabilities);
    }
    this.oddFigures = oddFigures(capabilities, this.#timesOverAllocated);
  }
}
