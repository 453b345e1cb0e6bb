import type { PlacementRequest } from '../placement-request.js';
import { type Query, parseQuery } from './json-query.js';
import type { Filter } from './filter.js';

/** Keeps the pools that the hint `query` asks for. Rule: cinder/scheduler/filters/json_filter.py. */
export function jsonFilter(): Filter {
  // of the request in hand: its ten thousand pools ask for the same query
  const parsed = new WeakMap<PlacementRequest, Query>();
  const queryOf = (request: PlacementRequest): Query => {
    const known = parsed.get(request) ?? parseQuery(request.hints);
    parsed.set(request, known);
    return known;
  };

  return {
    name: 'JsonFilter',
    passes: (pool, request) => queryOf(request)(pool),
    reason: () => 'is not what the query asks for',
    complaint: 'are not what the query asks for',
  };
}
