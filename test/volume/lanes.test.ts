import test from 'ava';
import { Lanes, Places, type Turn } from '#src/volume/lanes.js';
import { Gate } from '../support/gate.js';

const EVER = new AbortController().signal;

const turn = (key: string, places: Places, more: Partial<Turn> = {}): Turn => ({ key, places, signal: EVER, ...more });

test('work for one key is done one piece after the other, in order of arrival', async (t) => {
  const lanes = new Lanes();
  const places = new Places(8);
  const gate = new Gate();
  const done: number[] = [];
  const pieces = [1, 2, 3].map((piece) =>
    lanes.run(turn('a', places), async () => {
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
  const lanes = new Lanes();
  const places = new Places(2);
  const gate = new Gate();
  const pieces = ['a', 'b', 'c', 'd'].map((key) => lanes.run(turn(key, places), () => gate.enter()));

  await gate.inside(2);
  gate.open();
  await Promise.all(pieces);

  t.is(gate.most, 2);
});

test('a piece that fails gives its place and its key to the next', async (t) => {
  const lanes = new Lanes();
  const places = new Places(1);
  const failing = lanes.run(turn('a', places), () => Promise.reject(new Error('broken')));
  const next = lanes.run(turn('a', places), () => Promise.resolve('done'));

  await t.throwsAsync(failing, { message: 'broken' });
  t.is(await next, 'done');
});

test('a piece that waits ends when it is aborted, and takes no place', async (t) => {
  const lanes = new Lanes();
  const places = new Places(1);
  const gate = new Gate();
  const abort = new AbortController();
  const running = lanes.run(turn('a', places), () => gate.enter());
  await gate.inside(1);
  const waiting = lanes.run(turn('b', places, { signal: abort.signal }), () => Promise.resolve(t.fail()));
  await new Promise((resolve) => setImmediate(resolve)); // it is in line now

  abort.abort(new Error('stop'));
  await t.throwsAsync(waiting, { message: 'stop' });

  gate.open();
  await running;
  t.is(await lanes.run(turn('c', places), () => Promise.resolve('free')), 'free');
});

test('places that are closed refuse who waits and who comes; what runs goes on', async (t) => {
  const lanes = new Lanes();
  const places = new Places(1);
  const gate = new Gate();
  const running = lanes.run(turn('a', places), () => gate.enter().then(() => 'done'));
  await gate.inside(1);
  const waiting = lanes.run(turn('b', places), () => Promise.resolve(t.fail()));
  await new Promise((resolve) => setImmediate(resolve)); // it is in line now

  places.close(new Error('closed'));
  await t.throwsAsync(waiting, { message: 'closed' });
  await t.throwsAsync(
    lanes.run(turn('c', places), () => Promise.resolve(t.fail())),
    { message: 'closed' },
  );
  gate.open();
  t.is(await running, 'done');
  await lanes.idle();
});

test('those who read a resource go together; who changes it waits for all of them, and they for it', async (t) => {
  const lanes = new Lanes();
  const places = new Places(8);
  const gates = { early: new Gate(), late: new Gate() };
  const order: string[] = [];
  const run = (key: string, more: Partial<Turn>, gate?: Gate) =>
    lanes.run(turn(key, places, more), async () => {
      await gate?.enter();
      order.push(key);
    });
  const first = run('first', { reads: 'source' }, gates.early);
  const second = run('second', { reads: 'source' }, gates.late);
  await gates.early.inside(1);
  await gates.late.inside(1);
  const deletion = run('source', {});
  const third = run('third', { reads: 'source' });

  gates.late.open();
  await second;
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(order, ['second'], 'the last reader was not the only one');
  gates.early.open();
  await Promise.all([first, deletion, third]);

  t.deepEqual(order, ['second', 'first', 'source', 'third']);
});
