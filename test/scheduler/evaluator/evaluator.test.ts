import test from 'ava';
import fc from 'fast-check';
import { evaluate } from '#src/scheduler/evaluator/evaluate.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import type { Operand } from '#src/scheduler/evaluator/operand.js';
import { parse } from '#src/scheduler/evaluator/parse.js';
import { PythonError, type PythonErrorKind } from '#src/scheduler/python/python-error.js';

const VARIABLES = { stats: { a: 1, ratio: 0.9, name: 'x', list: [1] }, qos: null };
const value = (text: string): Operand => evaluate(parse(text), VARIABLES);

const gives = test.macro({
  exec: (t, text: string, expected: Operand) => t.deepEqual(value(text), expected),
  title: (_, text: string) => `${text} has the value that Cinder's evaluator gives it`,
});
test(gives, '1 and 1 and 0', 1n);
test(gives, '0 ? 2 : 0 ? 3 : 4', 0n);
test(gives, 'stats.ratio', 0n);
test(gives, '0 or b ? c : d', 'c');
test(gives, '1 orange', 1n);
test(gives, '(1, 2) + (3, 4)', [1n, 2n, 3n, 4n]);
test(gives, 'abs(0 - 0.5)', 0.5);
test(gives, "max 'abc'", 'c');

test(gives, '10 ^ 4299 > 10 ^ 4298', true); // the longest that Python writes in decimal
test(gives, "'gold' * 5000 == 'gold' * 4999", false);

const raises = test.macro({
  exec(t, text: string, kind: PythonErrorKind) {
    const error = t.throws(() => value(text), { instanceOf: PythonError });
    t.is(error.kind, kind);
  },
  title: (_, text: string, kind: string) =>
    `${text.length > 60 ? `${text.slice(0, 20)}… (${text.length})` : text} raises ${kind}`,
});
test(raises, 'stats.a and stats.a', 'KeyError');
test(raises, '1 / 0', 'EvaluatorParseException');
test(raises, 'qos.iops', 'EvaluatorParseException');
test(raises, 'stats.constructor', 'EvaluatorParseException');
test(raises, '__proto__.a', 'EvaluatorParseException');
test(raises, 'stats.list', 'TypeError');
test(raises, '(0 - 8) ^ 0.5', 'TypeError');
test(raises, '9 ^ 9 ^ 9 ^ 9', 'OverflowError');
test(raises, "'a' * 99999999999", 'OverflowError');
test(raises, '('.repeat(5_000), 'EvaluatorParseException');
test(raises, '-'.repeat(5_000) + '1', 'EvaluatorParseException');
test(raises, '1'.repeat(100_000), 'EvaluatorParseException');
test(raises, '"' + '\\xaa'.repeat(2_000), 'EvaluatorParseException');
test(raises, "'" + '\\xaa'.repeat(2_000), 'EvaluatorParseException');
test(raises, `${listsOfLists()} == ${listsOfLists()}`, 'OverflowError');
test(raises, `max((${listsOfLists()}), (${listsOfLists()}))`, 'OverflowError');
test(gives, '"\\xaaz\\x0\\""', '\\xaaz\\x0\\');

/** Short to write, and with more elements than anybody could compare one by one. */
function listsOfLists(): string {
  return `${'('.repeat(4)}1, 1${') * 1000, 1'.repeat(3)}) * 1000`;
}

/** Texts that are nearly expressions: random words reach deeper than random letters. */
const almost = fc
  .array(
    fc.constantFrom(
      ...[
        '1',
        '0.5',
        '99',
        'stats.a',
        'stats.name',
        'gold',
        "'x'",
        '"1"',
        'max',
        'abs',
        'not ',
        '!',
        '-',
        '+',
        '*',
        '/',
      ],
      ...['^', '<', '<=', '==', '<>', 'and', 'or', '&&', '||', '?', ':', ',', '(', ')', ' ', '.', '#', 'é'],
    ),
    { maxLength: 40 },
  )
  .map((words) => words.join(''));

test('whatever the text, evaluation ends soon, in a value or in an error of its own', (t) => {
  fc.assert(
    fc.property(fc.oneof(almost, fc.string({ unit: 'binary', maxLength: 200 })), (text) => {
      const started = performance.now();
      try {
        value(text);
      } catch (error) {
        if (!(error instanceof PythonError)) throw error;
      }
      return performance.now() - started < 250;
    }),
    { numRuns: 3_000 },
  );
  t.pass();
});

test('a function gives what its text gives, the first time and every other, and a bad one is bad every time', (t) => {
  const functions = new Functions();
  const texts = ['stats.a + 1', "stats.name == 'x'", '1 +', 'stats.none'];
  const outcomes = () =>
    texts.map((text) => {
      try {
        return functions.evaluate(text, VARIABLES);
      } catch (error) {
        return (error as PythonError).kind;
      }
    });
  const first = outcomes();
  t.deepEqual(first, [2n, true, 'EvaluatorParseException', 'EvaluatorParseException']);
  t.deepEqual(outcomes(), first);
});
