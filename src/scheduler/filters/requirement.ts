import { get, isList, isMap, type Value, type ValueMap } from '../python/value.js';
import { parseExtraSpec, type Match } from './extra-spec.js';

/** All that a type asks of a pool's capabilities. */
export interface Requirements {
  /** The same for the same specs: what answers are remembered under. Empty: nothing is asked. */
  readonly id: string;
  /** In the type's order. */
  readonly list: readonly Requirement[];
}

/** One spec of a type, read: where in the capabilities it looks, and what it wants there. */
export interface Requirement {
  /** As in the type, for messages. */
  readonly key: string;
  readonly spec: string | null;
  /** The keys that lead to the capability. */
  readonly path: readonly string[];
  readonly matches: Match;
}

const SCOPE = 'capabilities';

/**
 * The specs that are about capabilities: those without a scope and those in the scope `capabilities`; `vendor:speed` and
 * the like are the driver's. Rule: cinder/scheduler/filters/capabilities_filter.py.
 */
export function parseRequirements(extraSpecs: Iterable<readonly [string, string | null]>): Requirements {
  const list = [...extraSpecs].flatMap(([key, spec]) => {
    const [scope, ...rest] = key.split(':');
    if (scope !== SCOPE && rest.length > 0) return [];
    return [{ key, spec, path: scope === SCOPE ? rest : [key], matches: parseExtraSpec(spec) }];
  });
  return { id: list.length === 0 ? '' : JSON.stringify(list.map(({ key, spec }) => [key, spec])), list };
}

/** Whether capabilities meet a requirement; of a list one element has to. */
export function isMet({ path, matches }: Requirement, capabilities: ValueMap): boolean {
  const value = capabilityAt(path, capabilities);
  if (value === undefined) return false;
  return isList(value) ? value.some((element) => matches(element)) : matches(value);
}

/** The capability at the end of a path; undefined when there is none, or null. */
export function capabilityAt(path: readonly string[], capabilities: ValueMap): Value | undefined {
  let value: Value | undefined = capabilities;
  for (const key of path) value = isMap(value) ? get(value, key) : undefined;
  return value ?? undefined;
}
