import test from 'ava';
import { Allocations } from '#src/volume/allocations.js';

const VOLUME = { id: 'a', pool: 'fast', sizeGib: 3 };

test('a volume counts once, however often its creation is begun', (t) => {
  const allocations = new Allocations();
  allocations.reset([VOLUME]);
  allocations.add(VOLUME, 1);
  allocations.add(VOLUME, 2);
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
  allocations.add(VOLUME, 1);
  allocations.add({ ...VOLUME, pool: 'slow' }, 2);
  t.deepEqual([allocations.inPool('fast'), allocations.inPool('slow')], [0, 3]);
});

test('a claim is over when the work on its volume is, and is reported once', (t) => {
  const allocations = new Allocations();
  allocations.add(VOLUME, 7);
  t.is(allocations.unreported, 0, 'the work goes on');
  allocations.include({ volumeId: 'a', epoch: 7, pool: 'fast' });
  t.is(allocations.unreported, 1);
  t.deepEqual(allocations.takeEnded(), [{ volumeId: 'a', epoch: 7, pool: 'fast' }]);
  t.deepEqual(allocations.takeEnded(), []);
});

test('figures end the claims of the volumes they count, of each pool its own', (t) => {
  const allocations = new Allocations();
  const figures = (name: string, ...ids: string[]) => [{ name, volumes: new Set(ids) }];
  const claim = { volumeId: 'a', epoch: 7, pool: 'fast' };
  allocations.add(VOLUME, 7);
  t.deepEqual(allocations.takeCounted(figures('fast', 'b')), []);
  t.deepEqual(allocations.takeCounted(figures('slow', 'a')), []);
  t.deepEqual(allocations.takeCounted(figures('fast', 'a', 'b')), [claim]);

  allocations.include(claim);
  t.deepEqual(allocations.takeCounted(figures('fast', 'b')), []);
  t.deepEqual(allocations.takeCounted(figures('fast', 'a')), [claim]);
  t.is(allocations.unreported, 0);
});

test('work that another owner goes on with is not over here', (t) => {
  const allocations = new Allocations();
  const figures = [{ name: 'fast', volumes: new Set(['a']) }];
  allocations.add(VOLUME, 7);
  allocations.add(VOLUME, 9);
  allocations.leave({ volumeId: 'a', epoch: 7 });
  t.deepEqual(allocations.takeCounted(figures), [{ volumeId: 'a', epoch: 9, pool: 'fast' }]);
  allocations.leave({ volumeId: 'a', epoch: 9 });
  t.deepEqual(allocations.takeCounted(figures), []);
  t.is(allocations.unreported, 0);
});
