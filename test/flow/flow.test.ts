import test from 'ava';
import { Flow, type Outcome, type Run, type Task } from '#src/flow/flow.js';
import { InDoubt } from '#src/flow/in-doubt.js';
import type { FlowListener, Transition } from '#src/flow/listeners.js';

const boom = new Error('boom');

/** A task that notes what happens to it. */
function noting<Gives extends object>(
  name: string,
  notes: string[],
  gives: Gives,
  options: { readonly fails?: Error; readonly revertFails?: Error } = {},
): Task<object, Gives> {
  return {
    name,
    async execute() {
      notes.push(name);
      if (options.fails) throw options.fails;
      return gives;
    },
    async revert(_needs, outcome) {
      notes.push(`undo ${name}: ${'gave' in outcome ? 'gave' : 'failed'}`);
      if (options.revertFails) throw options.revertFails;
    },
  };
}

function recorder(): { readonly seen: string[]; readonly listener: FlowListener } {
  const seen: string[] = [];
  const listener = (_run: Run, t: Transition): void => {
    seen.push(t.kind === 'task' ? `${t.task} ${t.state}` : `flow ${t.state}`);
  };
  return { seen, listener };
}

test('a flow gives each task what the tasks before it gave, and answers everything', async (t) => {
  const double: Task<{ n: number }, { twice: number }> = {
    name: 'Double',
    execute: async ({ n }) => ({ twice: n * 2 }),
  };
  const describe: Task<{ n: number; twice: number }, { words: string }> = {
    name: 'Describe',
    execute: async ({ n, twice }) => ({ words: `${n} ${twice}` }),
  };
  const flow = Flow.named<{ n: number }>('f').step(double).step(describe);
  t.deepEqual(await flow.run({ n: 2 }), { n: 2, twice: 4, words: '2 4' });
});

test('a task whose needs nobody gives does not compile', (t) => {
  const needy: Task<{ missing: string }> = { name: 'Needy', execute: async () => ({}) };
  const flow = Flow.named<{ n: number }>('f');
  // @ts-expect-error -- the proof: without the need the line must not compile, and an unused expectation is an error
  t.notThrows(() => flow.step(needy));
  const giver: Task<{ n: number }, { missing: string }> = { name: 'Giver', execute: async () => ({ missing: '' }) };
  t.notThrows(() => flow.step(giver).step(needy));
});

test('two tasks of one name are refused', (t) => {
  const task: Task<object> = { name: 'Same', execute: async () => ({}) };
  t.throws(() => Flow.named('f').step(task).step(task), { message: /two tasks named Same/ });
});

test('a failure reverts what ran in reverse order, the failed task included, and throws the original error', async (t) => {
  const notes: string[] = [];
  const flow = Flow.named('f')
    .step(noting('A', notes, { a: 1 }))
    .step(noting('B', notes, { b: 1 }))
    .step(noting('C', notes, {}, { fails: boom }))
    .step(noting('D', notes, {}));
  t.is(await t.throwsAsync(flow.run({})), boom);
  t.deepEqual(notes, ['A', 'B', 'C', 'undo C: failed', 'undo B: gave', 'undo A: gave']);
});

test('a revert sees the needs of its task, its own outcome and the cause', async (t) => {
  let seen: { needs: { n: number }; outcome: Outcome<{ got: number }>; cause: unknown } | undefined;
  const task: Task<{ n: number }, { got: number }> = {
    name: 'Watched',
    execute: async ({ n }) => ({ got: n + 1 }),
    revert: async (needs, outcome, _run, cause) => {
      seen = { needs, outcome, cause };
    },
  };
  await t.throwsAsync(
    Flow.named<{ n: number }>('f')
      .step(task)
      .step(noting('Fails', [], {}, { fails: boom }))
      .run({ n: 1 }),
  );
  t.deepEqual(seen, { needs: { n: 1 }, outcome: { gave: { got: 2 } }, cause: boom });
});

test('a revert that throws is reported and does not stop the others', async (t) => {
  const notes: string[] = [];
  const { seen, listener } = recorder();
  const flow = Flow.named('f')
    .step(noting('A', notes, {}))
    .step(noting('B', notes, {}, { revertFails: new Error('stuck') }))
    .step(noting('C', notes, {}, { fails: boom }));
  t.is(await t.throwsAsync(flow.run({}, { listeners: [listener] })), boom);
  t.deepEqual(notes.slice(3), ['undo C: failed', 'undo B: gave', 'undo A: gave']);
  t.deepEqual(seen.slice(-5), ['B REVERTING', 'B REVERT_FAILURE', 'A REVERTING', 'A REVERTED', 'flow FAILURE']);
});

test('InDoubt reverts nothing', async (t) => {
  const notes: string[] = [];
  const { seen, listener } = recorder();
  const doubt = new InDoubt('nobody knows', 'volume-1');
  const flow = Flow.named('f')
    .step(noting('A', notes, {}))
    .step(noting('B', notes, {}, { fails: doubt }));
  t.is(await t.throwsAsync<InDoubt>(flow.run({}, { listeners: [listener] })), doubt);
  t.deepEqual(notes, ['A', 'B']);
  t.is(seen.at(-1), 'flow IN_DOUBT');
});

test('the transitions of a failing run are those of TaskFlow', async (t) => {
  const { seen, listener } = recorder();
  const flow = Flow.named('f')
    .step(noting('Extract', [], {}))
    .step(noting('Create', [], {}, { fails: boom }));
  await t.throwsAsync(flow.run({}, { listeners: [listener] }));
  t.deepEqual(seen, [
    'flow RUNNING',
    'Extract RUNNING',
    'Extract SUCCESS',
    'Create RUNNING',
    'Create FAILURE',
    'Create REVERTING',
    'Create REVERTED',
    'Extract REVERTING',
    'Extract REVERTED',
    'flow REVERTED',
  ]);
});

test('a listener that throws changes nothing', async (t) => {
  const throwing = (): never => {
    throw boom;
  };
  const flow = Flow.named('f').step(noting('A', [], { a: 1 }));
  const result = await flow.run({}, { listeners: [throwing] });
  t.deepEqual(result, { a: 1 });
});

test('an aborted run does not begin the next task and reverts the ones before it', async (t) => {
  const notes: string[] = [];
  const abort = new AbortController();
  const aborts: Task<object> = {
    name: 'Aborts',
    execute: async () => {
      abort.abort(boom);
      return {};
    },
  };
  const flow = Flow.named('f')
    .step(noting('A', notes, {}))
    .step(aborts)
    .step(noting('B', notes, {}));
  t.is(await t.throwsAsync(flow.run({}, { signal: abort.signal })), boom);
  t.deepEqual(notes, ['A', 'undo A: gave']);
});

test('one flow runs many times at once without sharing anything', async (t) => {
  const add: Task<{ n: number }, { sum: number }> = { name: 'Add', execute: async ({ n }) => ({ sum: n + 1 }) };
  const flow = Flow.named<{ n: number }>('f').step(add);
  const sums = await Promise.all(Array.from({ length: 100 }, (_, n) => flow.run({ n })));
  t.deepEqual(
    sums.map(({ sum }) => sum),
    Array.from({ length: 100 }, (_, n) => n + 1),
  );
});
