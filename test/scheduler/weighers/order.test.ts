import test from 'ava';
import fc from 'fast-check';
import { orderedWeightHandler } from '#src/scheduler/weight-handlers/ordered.js';

/** Many alike, and everything a sum of weights can come to. */
const weights = fc
  .array(fc.oneof(fc.constantFrom(0, -0, 1, 0.5, -1, Infinity, -Infinity), fc.double({ noNaN: true })), {
    maxLength: 300,
  })
  .map((list) => Float64Array.from(list));

test('the greatest weight comes first, and equals stay in their order', (t) => {
  fc.assert(
    fc.property(weights, (list) => {
      const stable = [...list.keys()].sort((a, b) => compare(list[b] ?? 0, list[a] ?? 0));
      t.deepEqual([...orderedWeightHandler.rank(list)], stable);
    }),
    { numRuns: 300, endOnFailure: true },
  );
});

test('a short list begins the order of those that may be taken', (t) => {
  fc.assert(
    fc.property(weights, fc.nat(12), fc.nat(4), (list, count, remainder) => {
      const mayTake = (index: number): boolean => index % 5 !== remainder;
      const expected = [...orderedWeightHandler.rank(list)].filter(mayTake).slice(0, count);
      t.deepEqual([...orderedWeightHandler.shortlist(list, mayTake, count)], expected);
    }),
    { numRuns: 300, endOnFailure: true },
  );
});

test('a weight that is no number is the last choice', (t) => {
  const list = Float64Array.of(NaN, 1, -NaN, -5, 2);
  t.deepEqual([...orderedWeightHandler.rank(list)], [4, 1, 3, 0, 2]);
  t.deepEqual(
    orderedWeightHandler.shortlist(list, () => true, 4),
    [4, 1, 3, 0],
  );
});

function compare(a: number, b: number): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
