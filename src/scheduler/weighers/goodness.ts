import type { Functions } from '../evaluator/functions.js';
import { isNumeric, kindOf, number, type Operand } from '../evaluator/operand.js';
import type { PlacementRequest } from '../placement-request.js';
import { functionText, functionViews, type FunctionView, variables } from '../pool-function.js';
import type { Pool } from '../pool-state.js';
import { PythonError } from '../python/python-error.js';
import type { Weigher, WeigherParts } from './weigher.js';

/** Prefers the pools that rate themselves highest for the request. Rule: cinder/scheduler/weights/goodness.py. */
export const goodnessWeigher = ({ functions }: WeigherParts): Weigher => ({
  name: 'GoodnessWeigher',
  multiplier: 1,
  weigh: (pool, request) => goodnessRating(pool, request, functions),
});

const WORST = 0;
const BEST = 100;

/**
 * What a pool's `goodness_function` says, 0 to 100; of several spellings of the protocol the best one. 0 where there is no
 * function, or where it cannot be evaluated. Throws PythonError TypeError for a result that is no number.
 */
export function goodnessRating(pool: Pool, request: PlacementRequest, functions: Functions): number {
  const text = functionText(pool, 'goodness_function');
  if (text === undefined) return WORST;
  const ratings = functionViews(pool, 'goodness_function', text).map((view) =>
    rating(evaluated(functions, text, view, request)),
  );
  return ratings.reduce((best, other) => (other > best ? other : best), ratings[0] ?? WORST);
}

function evaluated(functions: Functions, text: string, view: FunctionView, request: PlacementRequest): Operand {
  try {
    return functions.evaluate(text, { ...variables(view, request), qos: request.qosSpecs ?? {} });
  } catch (error) {
    if (error instanceof PythonError) return BigInt(WORST);
    throw error;
  }
}

function rating(result: Operand): number {
  if (typeof result === 'boolean') return result ? BEST : WORST;
  if (!isNumeric(result)) throw new PythonError('TypeError', `a goodness of the kind ${kindOf(result)}`);
  const value = number(result);
  return value < WORST || value > BEST ? WORST : Number(value);
}
