import { loadConfig } from '#src/config/load.js';
import { UpdateServiceCapabilitiesRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { RequestSpec } from '#src/objects/request-spec.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { Pools } from '#src/scheduler/pools.js';
import type { CapabilityReport } from '#src/scheduler/report.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';

const POOLS_A_BACKEND = 10;
const ZONES = ['zone-a', 'zone-b', 'zone-c', 'zone-d', 'zone-e'];
/** Types that volumes are asked for with, each with four extra specs and its own bound on speed. */
const TYPES = Array.from({ length: 60 }, (_, index) => ({
  ...{ id: `type-${index}`, name: `type ${index}`, description: null, isPublic: true, qosSpecsId: null },
  extraSpecs: new Map([
    ['thin_provisioning_support', '<is> True'],
    ['capabilities:media', '<or> ssd <or> nvme'],
    ['storage_protocol', '<in> iSCSI'],
    ['iops', `>= ${4_900 + index * 2}`],
  ]),
}));

/** A scheduler over many pools. Its default filters let 40 % of them pass: four of five zones, half of the types' speeds. */
export class Estate {
  readonly scheduler: FilterScheduler;
  readonly pools: Pools;
  readonly #random = randomFrom(1);
  readonly #backendCount: number;
  #now = 1_000;

  constructor(poolCount: number) {
    this.#backendCount = poolCount / POOLS_A_BACKEND;
    this.pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => (this.#now += 1) });
    const flags = { clusterName: null, up: true, disabled: false, frozen: false };
    this.pools.setServices(
      Array.from({ length: this.#backendCount }, (_, index) => ({
        ...{ ...flags, host: backend(index), availabilityZone: ZONES[index % ZONES.length] ?? null },
      })),
    );
    for (let index = 0; index < this.#backendCount; index += 1) this.pools.report(this.reportOf(index));
    const { config } = loadConfig({ hostname: 'bench', home: '/', environment: {} });
    const { capacityWeightMultiplier, allocatedCapacityWeightMultiplier, volumeNumberMultiplier } = config;
    this.scheduler = new FilterScheduler({
      ...{ pools: this.pools, maxAttempts: config.schedulerMaxAttempts },
      filters: filtersByName(config.schedulerDefaultFilters, { functions: new Functions() }),
      weighers: weighersByName(config.schedulerDefaultWeighers, {
        ...{ capacityWeightMultiplier, allocatedCapacityWeightMultiplier, volumeNumberMultiplier },
        ...{ functions: new Functions(), random: this.#random },
      }),
      weightHandler: weightHandlerByName(config.schedulerWeightHandler, this.#random),
    });
  }

  /** A report of some backend. */
  report(): CapabilityReport {
    return this.reportOf(Math.floor(this.#random() * this.#backendCount));
  }

  /** A report as it comes from the wire. */
  reportOf(index: number, poolCount = POOLS_A_BACKEND): CapabilityReport {
    this.#now += 1;
    const pools = Array.from({ length: poolCount }, (_, number) => this.#pool(`pool-${index}-${number}`));
    const capabilities = { ...COMMON, volume_backend_name: `backend-${index}`, pools };
    const wire = UpdateServiceCapabilitiesRequest.encode(
      UpdateServiceCapabilitiesRequest.fromPartial({ serviceName: 'volume', host: backend(index), capabilities }),
    ).finish();
    const { host, capabilities: decoded = {} } = UpdateServiceCapabilitiesRequest.decode(wire);
    return { host, clusterName: null, timestamp: this.#now, capabilities: decoded };
  }

  /** What somebody asks for: one of 60 types, 8 sizes and 5 sets of zones. */
  request(): RequestSpec {
    const draw = (count: number): number => Math.floor(this.#random() * count);
    const volumeType = TYPES[draw(TYPES.length)] as (typeof TYPES)[number]; // index is in range
    const without = draw(ZONES.length);
    return {
      volumeId: '7f0d3f0e-0000-4000-8000-000000000001',
      volumeType: { ...volumeType, extraSpecs: new Map(volumeType.extraSpecs) },
      volumeProperties: {
        ...{ sizeGib: 2 ** draw(8), projectId: 'project', userId: 'user', multiattach: false },
        ...{ metadata: new Map(), qosSpecs: new Map() },
      },
      availabilityZones: ZONES.filter((_, index) => index !== without),
    };
  }

  #pool(name: string) {
    const allocated = Math.floor(this.#random() * 50_000);
    return {
      ...{ pool_name: name, total_capacity_gb: 100_000, free_capacity_gb: 100_000 - allocated },
      ...{ allocated_capacity_gb: allocated, provisioned_capacity_gb: allocated * 2, reserved_percentage: 5 },
      ...{ max_over_subscription_ratio: '4.5', thin_provisioning_support: true, thick_provisioning_support: false },
      ...{ QoS_support: true, multiattach: true, media: 'nvme', iops: Math.floor(this.#random() * 10_000) },
    };
  }
}

/** What the backends say of all their pools. */
const COMMON = { vendor_name: 'vendor', driver_version: '1.0.0', storage_protocol: 'iSCSI' };

function backend(index: number): string {
  return `node-${index}@storage`;
}

/** The same numbers in every run, 0 or more and less than 1 (Lehmer's generator). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
