import { isTrue } from '../evaluator/operand.js';
import type { Functions } from '../evaluator/functions.js';
import type { PlacementRequest } from '../placement-request.js';
import { functionText, functionViews, variables } from '../pool-function.js';
import type { Pool } from '../pool-state.js';
import { PythonError } from '../python/python-error.js';
import type { Filter } from './filter.js';

/**
 * Keeps the pools whose own `filter_function` says yes, and those without one; a function that cannot be evaluated says no.
 * Rule: cinder/scheduler/filters/driver_filter.py.
 */
export function driverFilter(functions: Functions): Filter {
  const verdict = (pool: Pool, request: PlacementRequest): boolean | PythonError => {
    const text = functionText(pool, 'filter_function');
    if (text === undefined) return true;
    let failure: PythonError | undefined;
    for (const view of functionViews(pool, 'filter_function', text)) {
      try {
        if (isTrue(functions.evaluate(text, variables(view, request)))) return true;
      } catch (error) {
        if (!(error instanceof PythonError)) throw error;
        failure = error;
      }
    }
    return failure ?? false;
  };

  return {
    name: 'DriverFilter',
    passes: (pool, request) => verdict(pool, request) === true,

    reason(pool, request) {
      const came = verdict(pool, request);
      const text = functionText(pool, 'filter_function') ?? '';
      const outcome = came instanceof PythonError ? `cannot be evaluated: ${came.message}` : 'does not hold';
      return `its filter_function ${outcome} (${text.slice(0, 200)})`;
    },

    complaint: 'do not take such a volume',
  };
}
