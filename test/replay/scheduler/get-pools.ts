import { Fault } from '#src/errors/fault.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { listed } from '#src/scheduler/pool-listing.js';
import { Pools } from '#src/scheduler/pools.js';
import type { Value } from '#src/scheduler/python/value.js';
import { DEFAULT_FILTERS } from '../../support/cinder-defaults.js';
import { replay } from '../replay.js';
import { globalRatio, type RecordedReport, type RecordedService, type RecordedType, services } from './recorded.js';

interface Input {
  readonly services: readonly RecordedService[];
  readonly reports: readonly RecordedReport[];
  readonly filters: Readonly<Record<string, Value>> | null;
  readonly volume_types: Readonly<Record<string, RecordedType>>;
}

export const getPools = replay('get_pools', ({ services: rows, reports, filters, volume_types }: Input) => {
  const pools = new Pools({ maxOverSubscriptionRatio: globalRatio(), now: () => 1000 });
  pools.setServices(services(rows));
  for (const { host, cluster_name, timestamp, capabilities } of reports) {
    pools.report({ host, clusterName: cluster_name, timestamp, capabilities });
  }
  const { name, volume_type, ...others } = filters ?? {};
  const query = {
    capabilities: new Map(Object.entries(others)),
    ...(typeof name === 'string' && name !== '' && { name }),
    ...(typeof volume_type === 'string' && volume_type !== '' && { volumeType: typeNamed(volume_types, volume_type) }),
  };
  const found = listed(pools.list(), query, filtersByName(DEFAULT_FILTERS, { functions: new Functions() }));
  return { pools: found.map(({ backendId }) => backendId) };
});

function typeNamed(types: Readonly<Record<string, RecordedType>>, name: string) {
  const type = types[name];
  if (type === undefined) throw new Fault('VolumeTypeNotFound', { volumeType: name });
  return {
    ...{ id: name, name, description: null, isPublic: true, qosSpecsId: null },
    extraSpecs: new Map(Object.entries(type.extra_specs ?? {})),
  };
}
