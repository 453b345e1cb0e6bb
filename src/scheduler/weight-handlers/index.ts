import { Fault } from '../../errors/fault.js';
import { orderedWeightHandler } from './ordered.js';
import { stochasticWeightHandler } from './stochastic.js';
import type { WeightHandler } from './weight-handler.js';

export type { WeightHandler } from './weight-handler.js';

/**
 * The handler of a name; Cinder's dotted path to the class will do too. `random` gives 0 or more, less than 1.
 * Throws SchedulerHostWeigherNotFound.
 */
export function weightHandlerByName(name: string, random: () => number): WeightHandler {
  const all = [orderedWeightHandler, stochasticWeightHandler(random)];
  const handler = all.find((each) => each.name === name.slice(name.lastIndexOf('.') + 1));
  if (!handler) throw new Fault('SchedulerHostWeigherNotFound', { weigherName: name });
  return handler;
}
