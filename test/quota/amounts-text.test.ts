import { randomUUID } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { decodeAmounts, encodeAmounts, withNote } from '#src/quota/amounts-text.js';
import { LIMIT_ONLY, RESOURCES, volumeAmounts } from '#src/quota/resources.js';

test('amounts are written in one way, whatever order they were made in', (t) => {
  t.is(encodeAmounts({ volumes: 1, gigabytes: 5 }), 'g5v1');
  t.is(encodeAmounts({ gigabytes: 5, volumes: 1 }), 'g5v1');
  t.is(encodeAmounts(volumeAmounts({ sizeGib: 5, volumeTypeId: '1111' })), 'g5v1 g5v1_1111');
  t.is(encodeAmounts({ backup_gigabytes: -5, backups: 0, groups: 2 }), 'B-5b0G2');
});

const resource = fc.oneof(
  fc.constantFrom(...RESOURCES.filter((name) => name !== LIMIT_ONLY)),
  fc.tuple(fc.constantFrom('volumes', 'gigabytes', 'snapshots'), fc.uuid()).map(([name, type]) => `${name}_${type}`),
);
const amounts = fc.dictionary(resource, fc.integer({ min: -2_147_483_647, max: 2_147_483_647 }), { minKeys: 1 });

const note = fc.oneof(
  fc.string({ maxLength: 64 }),
  fc.uuid().map((id) => `req-${id}`),
);

test('what is written is read again, with its note', (t) => {
  fc.assert(
    fc.property(amounts, note, (deltas, by) => {
      const read = decodeAmounts(withNote(encodeAmounts(deltas), by));
      t.deepEqual(Object.fromEntries(read.deltas), deltas);
      t.is(read.note, by);
    }),
  );
});

test('a note is cut, and what is not counted cannot be written', (t) => {
  t.is(withNote('g1', 'x'.repeat(100)), `g1|${'x'.repeat(64)}`);
  for (const name of ['', 'cores', LIMIT_ONLY, 'volumes_a b', 'volumes_a|b', 'volumes_']) {
    t.throws(() => encodeAmounts({ [name]: 1 }), { instanceOf: RangeError }, name);
  }
});

test('a volume and its request fit into 80 bytes with what Redis adds to a string', (t) => {
  const text = encodeAmounts(volumeAmounts({ sizeGib: 100, volumeTypeId: randomUUID() }));
  t.true(withNote(text, `req-${randomUUID()}`).length <= 80 - 4);
});
