import test from 'ava';
import fc from 'fast-check';
import { longId, shortId } from '#src/quota/short-id.js';

test('a UUID is kept in 22 characters and comes back whole', (t) => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      t.regex(shortId(id), /^[A-Za-z0-9_-]{22}$/);
      t.is(longId(shortId(id)), id);
    }),
  );
});

test('what is no UUID stays as it is', (t) => {
  for (const id of ['', 'release-1', '6D1F4C3A-8B0E-4F52-9C1D-2A7E5B9F0C41', 'i:volumes'])
    t.is(longId(shortId(id)), id);
});
