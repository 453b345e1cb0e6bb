import { isLess, isLessOrEqual } from '../python/order.js';
import { PythonError } from '../python/python-error.js';
import { equals, get, isList, isMap, isTruthy, kindOf, type Value, type ValueMap } from '../python/value.js';
import type { Pool } from '../pool-state.js';

/** Whether a pool is what a query asks for. Throws PythonError where Cinder's filter raises. */
export type Query = (pool: Pool) => boolean;

/** Deepest nesting of a query; its text is bounded by the API. */
const MAX_DEPTH = 100;

/**
 * Reads the hint `query`, JSON in text. Throws PythonError for what is no JSON.
 * Rule: cinder/scheduler/filters/json_filter.py.
 */
export function parseQuery(hints: ValueMap | null): Query {
  if (hints === null) throw new PythonError('TypeError', 'the hints are null');
  const text = get(hints, 'query') ?? '';
  if (!isTruthy(text)) return () => true;
  if (typeof text !== 'string') throw new PythonError('TypeError', `the query is ${kindOf(text)}, not JSON in text`);
  const query = parseJson(text);
  if (depthOf(query) > MAX_DEPTH) throw new PythonError('ValueError', `the query is nested deeper than ${MAX_DEPTH}`);
  return (pool) => {
    const result = answer(query, pool);
    // of the list that a `not` answers one element is enough
    return isList(result) ? result.some(isTruthy) : isTruthy(result);
  };
}

function parseJson(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    throw new PythonError('JSONDecodeError', 'the query is no JSON');
  }
}

/** Counted without recursion, and no further than matters: the text may be nothing but brackets. */
function depthOf(query: Value): number {
  let depth = 0;
  for (let level: readonly Value[] = [query]; level.length > 0 && depth <= MAX_DEPTH; depth += 1) {
    level = level.flatMap((value) => (isList(value) ? value : isMap(value) ? Object.values(value) : []));
  }
  return depth;
}

function answer(query: Value, pool: Pool): Value {
  if (!isTruthy(query)) return true;
  const [command, ...rawArguments] = elements(query);
  const method = typeof command === 'string' && Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (method === undefined) {
    const kind = isList(command) || isMap(command) ? 'TypeError' : 'KeyError';
    throw new PythonError(kind, `there is no command ${JSON.stringify(command).slice(0, 100)}`);
  }
  return method(rawArguments.map((argument) => cooked(argument, pool)).filter((argument) => argument !== null));
}

/** A text is a list of its letters here; a mapping is asked for its key 0, which JSON cannot have. */
function elements(query: Value): readonly Value[] {
  if (isList(query)) return query;
  if (typeof query === 'string') return Array.from(query);
  throw new PythonError(isMap(query) ? 'KeyError' : 'TypeError', `${kindOf(query)} is no command`);
}

function cooked(argument: Value, pool: Pool): Value {
  if (isList(argument)) return answer(argument, pool);
  return typeof argument === 'string' ? lookedUp(argument, pool) : argument;
}

/** A text after `$` is a path into the pool; what is not there, and empty text, counts for nothing. */
function lookedUp(text: string, pool: Pool): Value {
  if (!text.startsWith('$')) return text === '' ? null : text;
  const [attribute = '', ...path] = text.slice(1).split('.');
  const read = Object.hasOwn(ATTRIBUTES, attribute) ? ATTRIBUTES[attribute] : undefined;
  let value: Value = read?.(pool) ?? null;
  for (const key of path) {
    if (value === null) return null;
    if (!isMap(value)) throw new PythonError('AttributeError', `${kindOf(value)} has no '${key.slice(0, 100)}'`);
    value = get(value, key) ?? null;
  }
  return value;
}

/** What a query can ask of a pool. Rule: cinder/scheduler/host_manager.py, the attributes of `PoolState`. */
const ATTRIBUTES: Readonly<Record<string, (pool: Pool) => Value>> = {
  host: (pool) => pool.host,
  cluster_name: (pool) => pool.clusterName,
  backend_id: (pool) => pool.backendId,
  pool_name: (pool) => pool.name,
  volume_backend_name: (pool) => pool.volumeBackendName,
  vendor_name: (pool) => pool.vendorName,
  driver_version: (pool) => pool.driverVersion,
  storage_protocol: (pool) => pool.storageProtocol,
  QoS_support: (pool) => pool.qosSupport,
  total_capacity_gb: (pool) => pool.totalCapacityGb,
  allocated_capacity_gb: (pool) => pool.allocatedCapacityGb,
  free_capacity_gb: (pool) => pool.freeCapacityGb,
  provisioned_capacity_gb: (pool) => pool.provisionedCapacityGb,
  reserved_percentage: (pool) => pool.reservedPercentage,
  max_over_subscription_ratio: (pool) => pool.maxOverSubscriptionRatio,
  thin_provisioning_support: (pool) => pool.thinProvisioningSupport,
  thick_provisioning_support: (pool) => pool.thickProvisioningSupport,
  multiattach: (pool) => pool.multiattach,
  filter_function: (pool) => pool.filterFunction,
  goodness_function: (pool) => pool.goodnessFunction,
  capabilities: (pool) => pool.capabilities,
  service: ({ service }) => ({
    host: service.host,
    cluster_name: service.clusterName,
    availability_zone: service.availabilityZone ?? null,
    disabled: service.disabled,
    frozen: service.frozen,
  }),
};

type Command = (args: readonly Value[]) => Value;

/** The first argument compared with each other one; too few arguments never hold. */
function compared(holds: (first: Value, other: Value) => boolean): Command {
  return ([first, ...others]) => {
    if (first === undefined || others.length === 0) return false;
    // Cinder compares with all of them, so that one that cannot be compared is an error whatever the others say
    const results = others.map((other) => holds(first, other));
    return results.every(Boolean);
  };
}

const COMMANDS: Readonly<Record<string, Command>> = {
  '=': compared(equals),
  '<': compared(isLess),
  '>': compared((first, other) => isLess(other, first)),
  '<=': compared(isLessOrEqual),
  '>=': compared((first, other) => isLessOrEqual(other, first)),
  in: ([first, ...others]) => first !== undefined && others.some((other) => equals(first, other)),
  not: (args) => args.map((argument) => !isTruthy(argument)),
  or: (args) => args.some(isTruthy),
  and: (args) => args.every(isTruthy),
};
