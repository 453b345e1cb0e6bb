import test from 'ava';
import { Lanes } from '#src/volume/lanes.js';
import { Gate } from '../support/gate.js';

const EVER = new AbortController().signal;

test('work for one key is done one piece after the other, in order of arrival', async (t) => {
  const lanes = new Lanes(8);
  const gate = new Gate();
  const done: number[] = [];
  const pieces = [1, 2, 3].map((piece) =>
    lanes.run('a', EVER, async () => {
      await gate.enter();
      done.push(piece);
    }),
  );

  await gate.inside(1);
  gate.open();
  await Promise.all(pieces);

  t.is(gate.most, 1);
  t.deepEqual(done, [1, 2, 3]);
});

test('no more pieces run at once than there are places', async (t) => {
  const lanes = new Lanes(2);
  const gate = new Gate();
  const pieces = ['a', 'b', 'c', 'd'].map((key) => lanes.run(key, EVER, () => gate.enter()));

  await gate.inside(2);
  gate.open();
  await Promise.all(pieces);

  t.is(gate.most, 2);
});

test('a piece that fails gives its place and its key to the next', async (t) => {
  const lanes = new Lanes(1);
  const failing = lanes.run('a', EVER, () => Promise.reject(new Error('broken')));
  const next = lanes.run('a', EVER, () => Promise.resolve('done'));

  await t.throwsAsync(failing, { message: 'broken' });
  t.is(await next, 'done');
});

test('a piece that waits ends when it is aborted, and takes no place', async (t) => {
  const lanes = new Lanes(1);
  const gate = new Gate();
  const abort = new AbortController();
  const running = lanes.run('a', EVER, () => gate.enter());
  await gate.inside(1);
  const waiting = lanes.run('b', abort.signal, () => Promise.resolve(t.fail()));
  await new Promise((resolve) => setImmediate(resolve)); // it is in line now

  abort.abort(new Error('stop'));
  await t.throwsAsync(waiting, { message: 'stop' });

  gate.open();
  await running;
  t.is(await lanes.run('c', EVER, () => Promise.resolve('free')), 'free');
});
