import test from 'ava';
import { Cast, DeliverRequest } from '#src/gen/cinder/rpc/v1/casts.js';
import { inCalls } from '#src/rpc/cast-calls.js';

const LIMIT = 100_000;

const castOf = (bytes: number, name = ''): Cast =>
  Cast.fromPartial({ method: 'CreateVolume', resourceId: name, args: Buffer.alloc(bytes) });
const sizeOf = (casts: readonly Cast[]): number => DeliverRequest.encode({ casts: [...casts] }).finish().length;
const names = (calls: readonly (readonly Cast[])[]): string[] =>
  calls.map((call) => call.map(({ resourceId }) => resourceId).join(' '));

test('what fits goes in one call, and nothing in none', (t) => {
  t.deepEqual(inCalls([], LIMIT), []);
  t.deepEqual(names(inCalls([castOf(10, 'a'), castOf(10, 'b')], LIMIT)), ['a b']);
});

test('a call may be as large as the limit, and not larger; the order is kept', (t) => {
  const casts = ['a', 'b', 'c', 'd'].map((name) => castOf(40_000, name));
  const two = sizeOf(casts.slice(0, 2));
  t.deepEqual(names(inCalls(casts, two)), ['a b', 'c d']);
  t.deepEqual(names(inCalls(casts, two - 1)), ['a', 'b', 'c', 'd']);
});

for (const place of [0, 1, 2]) {
  test(`what is too large alone has a call of its own, also as number ${place + 1}`, (t) => {
    const casts = [castOf(10, 'a'), castOf(10, 'b')];
    casts.splice(place, 0, castOf(2 * LIMIT, 'huge'));
    const expected = [
      ['huge', 'a b'],
      ['a', 'huge', 'b'],
      ['a b', 'huge'],
    ][place];
    t.deepEqual(names(inCalls(casts, LIMIT)), expected);
  });
}
