import test from 'ava';
import fc from 'fast-check';
import { parseFloatText, roundToHundredths, toFloat, toInt } from '#src/scheduler/python/number.js';
import { compareText, splitWords, strip } from '#src/scheduler/python/text.js';
import { contains, equals, isTruthy } from '#src/scheduler/python/value.js';

const rounds = test.macro({
  exec: (t, x: number, expected: number) => t.is(roundToHundredths(x), expected),
  title: (_, x: number, expected: number) => `round(${x}, 2) is ${expected}`,
});
test(rounds, 0.125, 0.12);
test(rounds, 0.375, 0.38);
test(rounds, -0.625, -0.62);
test(rounds, 1000.875, 1000.88);
test(rounds, 2.675, 2.67);
test(rounds, 1.005, 1);
test(rounds, -2.5, -2.5);
test(rounds, 1e300, 1e300);
test(rounds, Infinity, Infinity);
test(rounds, 1e10 + 0.125, 1e10 + 0.12);

test('a number is rounded to the hundredth that is nearest to its exact value, of two to the even one', (t) => {
  const nearHalves = fc
    .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom(0, 1e-13, -1e-13, 1e-3))
    .map(([thousandths, off]) => thousandths / 1_000 + off);
  const figures = fc.oneof(
    nearHalves,
    fc.double({ min: -1e13, max: 1e13, noNaN: true }),
    fc.integer().map((n) => n / 64),
  );
  fc.assert(
    fc.property(figures, (x) => {
      t.is(roundToHundredths(x), exactly(x));
    }),
    { numRuns: 2_000, endOnFailure: true },
  );
});

/** With integers alone: 2 ** 1074 times a double is one. */
function exactly(x: number): number {
  const unit = 2n ** 1074n;
  let [mantissa, exponent] = [Math.abs(x), 0];
  for (; !Number.isInteger(mantissa); exponent += 1) mantissa *= 2;
  const scaled = (BigInt(mantissa) * unit * 100n) / 2n ** BigInt(exponent);
  const [whole, rest] = [scaled / unit, scaled % unit];
  const up = 2n * rest > unit || (2n * rest === unit && whole % 2n === 1n);
  return Math.sign(x) * Number(`${whole + (up ? 1n : 0n)}e-2`);
}

const reads = test.macro({
  exec: (t, text: string, expected: number | undefined) => t.is(parseFloatText(text), expected),
  title: (_, text: string, expected: number | undefined) =>
    `float(${JSON.stringify(text)}) is ${expected ?? 'a ValueError'}`,
});
test(reads, ' 1_000 ', 1000);
test(reads, '1__000', undefined);
test(reads, '_1', undefined);
test(reads, '.5', 0.5);
test(reads, '5.', 5);
test(reads, '.', undefined);
test(reads, '1e3', 1000);
test(reads, '1e', undefined);
test(reads, '-Infinity', -Infinity);
test(reads, '+NaN', NaN);
test(reads, 'infinite', undefined);
test(reads, '0x10', undefined);
test(reads, '', undefined);
test(reads, '\u0661\u0662', 12);
test(reads, '\u{1d7f0}', 4);
test(reads, '\x1c7\x85', 7);
test(reads, '\ufeff7', undefined);

test('what is no number at all is a TypeError, what does not read as one a ValueError', (t) => {
  t.throws(() => toFloat(null), { message: 'nothing is no number' });
  t.throws(() => toFloat([]), { message: 'a list is no number' });
  t.throws(() => toFloat('ten'), { message: `'ten' is no number` });
  t.is(toFloat(true), 1);
});

test('int() cuts toward zero and refuses fractions in text', (t) => {
  t.is(toInt(-2.9), -2);
  t.is(toInt(' 1_0 '), 10);
  t.throws(() => toInt('2.5'));
  t.throws(() => toInt(Infinity));
});

test('empty things are false, and so are 0, null and absence', (t) => {
  for (const value of ['', 0, null, undefined, false, [], {}]) t.false(isTruthy(value), JSON.stringify(value));
  for (const value of ['0', 'False', -1, NaN, [0], { a: null }]) t.true(isTruthy(value), JSON.stringify(value));
});

test('true equals 1, text never equals a number, and contents are compared', (t) => {
  t.true(equals(true, 1));
  t.false(equals('1', 1));
  t.true(equals([1, { a: null }], [true, { a: null }]));
  t.false(equals({ a: null }, {}));
  t.false(equals({}, []));
});

test('text contains text, lists their members, mappings their own keys', (t) => {
  t.true(contains('gold silver', 'd s'));
  t.true(contains(['5', 5], 5));
  t.true(contains([true], 1));
  t.true(contains({ ssd: 1 }, 'ssd'));
  t.false(contains({}, 'toString'));
  t.throws(() => contains(12, '1'));
  t.throws(() => contains('12', 1));
});

test('texts are ordered by code point, not by UTF-16 unit', (t) => {
  const texts = ['\u{1f600}', '\uffff', '\ue000', 'b', 'ab', 'a', ''];
  t.deepEqual(texts.toSorted(compareText), ['', 'a', 'ab', 'b', '\ue000', '\uffff', '\u{1f600}']);
});

test('white space is Python’s', (t) => {
  t.deepEqual(splitWords(' a\x1cb\u3000 c\ufeff '), ['a', 'b', 'c\ufeff']);
  t.deepEqual(splitWords('  '), []);
  t.is(strip('\x85 a b\u2029'), 'a b');
});
