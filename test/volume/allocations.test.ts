import test from 'ava';
import { Allocations } from '#src/volume/allocations.js';

const VOLUME = { id: 'a', pool: 'fast', sizeGib: 3 };

test('a volume counts once, however often its creation is begun', (t) => {
  const allocations = new Allocations();
  allocations.reset([VOLUME]);
  allocations.add(VOLUME);
  allocations.add(VOLUME);
  t.is(allocations.inPool('fast'), 3);
});

test('taking a volume away twice takes it away once', (t) => {
  const allocations = new Allocations();
  allocations.reset([VOLUME, { id: 'b', pool: 'fast', sizeGib: 1 }]);
  allocations.remove('a');
  allocations.remove('a');
  t.is(allocations.inPool('fast'), 1);
  t.false(allocations.has('a'));
});

test('a volume that comes back in another pool counts there', (t) => {
  const allocations = new Allocations();
  allocations.add(VOLUME);
  allocations.add({ ...VOLUME, pool: 'slow' });
  t.deepEqual([allocations.inPool('fast'), allocations.inPool('slow')], [0, 3]);
});

test('a claim is over when the work on its volume is, and is reported once', (t) => {
  const allocations = new Allocations();
  allocations.add(VOLUME);
  t.is(allocations.unreported, 0, 'the work goes on');
  allocations.include({ volumeId: 'a', epoch: 7, pool: 'fast' });
  t.is(allocations.unreported, 1);
  t.deepEqual(allocations.takeIncluded(), [{ volumeId: 'a', epoch: 7, pool: 'fast' }]);
  t.deepEqual(allocations.takeIncluded(), []);
});
