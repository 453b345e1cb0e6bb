import { Fault } from '../../errors/fault.js';
import type { FilterProperties as WireProperties } from '../../gen/cinder/objects/v1/request_spec.js';
import type { FilterProperties } from '../../objects/request-spec.js';
import { filterPropertiesFromWire } from '../../rpc/objects-on-the-wire.js';
import type { InternalCall } from '../../rpc/versioned-server.js';
import type { Deciding } from '../decision.js';
import type { Readiness } from '../readiness.js';
import type { LookUp } from '../surroundings.js';

/** What those need who decide while their caller waits. */
export interface AskingParts extends Deciding {
  readonly lookUp: LookUp;
  readonly readiness: Readiness;
}

/** Waits for the first reports. Throws ServiceStopping, and the call's fault when it ends first. */
export async function ready({ readiness }: AskingParts, { signal }: InternalCall): Promise<void> {
  if (!(await readiness.wait(signal))) throw new Fault('ServiceStopping', {});
}

/** Hints and history as they came; none is no hints. */
export function propertiesOf(wire: WireProperties | undefined): FilterProperties {
  return wire ? filterPropertiesFromWire(wire) : { schedulerHints: new Map() };
}

/** What a request must carry. Throws InvalidInput. */
export function required<T>(value: T | undefined, field: string): T {
  if (value !== undefined && value !== '') return value;
  throw new Fault('InvalidInput', { violations: [{ field, description: 'is required' }], omitted: 0 });
}
