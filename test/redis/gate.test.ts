import test from 'ava';
import { NoAnswer } from '#src/redis/connection.js';
import { Gate } from '#src/redis/gate.js';
import { deadlineIn } from '#src/time/deadline.js';

test('no more get through at a time than may, and the others in their order', async (t) => {
  const gate = new Gate({ atOnce: 2, waiting: 10, what: 'a turn' });
  const order: number[] = [];
  let inside = 0;
  await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      await gate.enter(deadlineIn(5_000));
      t.true((inside += 1) <= 2);
      order.push(index);
      await Promise.resolve();
      inside -= 1;
      gate.leave();
    }),
  );
  t.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('who waits too long or is one too many gets no turn, and takes none from the others', async (t) => {
  const gate = new Gate({ atOnce: 1, waiting: 1, what: 'a turn' });
  await gate.enter(deadlineIn(1_000));
  const impatient = gate.enter(deadlineIn(10));
  await t.throwsAsync(gate.enter(deadlineIn(1_000)), { instanceOf: NoAnswer, message: 'too many wait for a turn' });
  await t.throwsAsync(impatient, { instanceOf: NoAnswer, message: 'no turn for a turn in time' });
  const patient = gate.enter(deadlineIn(1_000));
  gate.leave();
  await t.notThrowsAsync(patient);
  gate.leave();
  await t.notThrowsAsync(gate.enter(deadlineIn(0)));
});
