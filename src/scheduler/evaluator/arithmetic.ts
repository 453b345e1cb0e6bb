import { toFloat } from '../python/number.js';
import { PythonError } from '../python/python-error.js';
import { isLess, isNumeric, kindOf, number, type Operand } from './operand.js';

/**
 * Largest int that is computed, bits: more than Python writes in decimal; longest text, letters; largest list, elements
 * with those of its elements: lists are compared element by element. Python has no such bounds, and hangs instead.
 */
const MAX_BITS = 20_000;
const MAX_LENGTH = 65_536;
const MAX_ELEMENTS = 1_024;

/** Python's `a += b`: sums, joins texts, and adds the elements of a list or the letters of a text to a list. */
export function add(a: Operand, b: Operand): Operand {
  if (typeof a === 'string' && typeof b === 'string') return bounded(a.length + b.length, MAX_LENGTH, () => a + b);
  if (typeof a === 'object' && (typeof b === 'object' || typeof b === 'string')) {
    return bounded(sizeOf(a) + sizeOf(b), MAX_ELEMENTS, () => [...a, ...Array.from<Operand>(b)]);
  }
  return arithmetic(
    a,
    b,
    '+',
    (x, y) => x + y,
    (x, y) => x + y,
  );
}

/** A list with something in front of it: of anything else the two become one. Throws OverflowError. */
export function prepend(head: Operand, tail: Operand): Operand {
  const rest = typeof tail === 'object' ? tail : [tail];
  return bounded(sizeOf([head]) + sizeOf(rest), MAX_ELEMENTS, () => [head, ...rest]);
}

/** Python's `a - b`. Throws TypeError, OverflowError. */
export function subtract(a: Operand, b: Operand): Operand {
  return arithmetic(
    a,
    b,
    '-',
    (x, y) => x - y,
    (x, y) => x - y,
  );
}

/** Python's `a * b`: a text or list times an int is repeated. Throws TypeError, OverflowError. */
export function multiply(a: Operand, b: Operand): Operand {
  if (!isNumeric(a)) return repeated(a, b);
  if (!isNumeric(b)) return repeated(b, a);
  return arithmetic(
    a,
    b,
    '*',
    (x, y) => x * y,
    (x, y) => x * y,
  );
}

/** `a / float(b)`, so that the result is always a float. Throws EvaluatorParseException for 0, TypeError, ValueError. */
export function divide(a: Operand, b: Operand): Operand {
  const divisor = typeof b === 'bigint' ? asFloat(b) : toFloat(typeof b === 'object' ? [] : b);
  if (!isNumeric(a)) throw mismatch(a, '/', b);
  if (divisor === 0) throw new PythonError('EvaluatorParseException', 'the expression divides by zero');
  return asFloat(number(a)) / divisor;
}

/** Python's `a ** b`. Throws TypeError, OverflowError, ZeroDivisionError. */
export function power(a: Operand, b: Operand): Operand {
  if (!isNumeric(a) || !isNumeric(b)) throw mismatch(a, '^', b);
  const [base, exponent] = [number(a), number(b)];
  if (typeof base === 'bigint' && typeof exponent === 'bigint' && exponent >= 0n) {
    if (base !== 0n && base !== 1n && base !== -1n && BigInt(bits(base)) * exponent > MAX_BITS) throw tooLarge();
    return base ** exponent;
  }
  const [x, y] = [asFloat(base), asFloat(exponent)];
  if (x === 0 && y < 0) throw new PythonError('ZeroDivisionError', 'zero to a negative power');
  // Python's power of 1, and to 0, is 1 even for NaN
  const result = x === 1 ? 1 : x ** y;
  if (Number.isNaN(result) && !Number.isNaN(x) && !Number.isNaN(y)) {
    throw new PythonError('TypeError', 'a root of a negative number is no real number');
  }
  if (!Number.isFinite(result) && Number.isFinite(x) && Number.isFinite(y)) throw tooLarge();
  return result;
}

/** Python's `abs`, `max` and `min`; a list is a list of arguments. Throws KeyError for another name, TypeError. */
export function call(name: string, argument: Operand): Operand {
  const args = typeof argument === 'object' ? argument : [argument];
  switch (name) {
    case 'abs':
      return absolute(args);
    case 'max':
      return extreme(args, (a, b) => isLess(b, a));
    case 'min':
      return extreme(args, isLess);
    default:
      throw new PythonError('KeyError', `there is no function '${name}'`);
  }
}

function absolute(args: readonly Operand[]): Operand {
  const [only, ...others] = args;
  if (only === undefined || others.length > 0 || !isNumeric(only))
    throw new PythonError('TypeError', 'abs takes one number');
  const value = number(only);
  if (typeof value === 'number') return Math.abs(value);
  return value < 0n ? -value : value;
}

/** The first of those that no other one beats. A single text stands for its letters. */
function extreme(args: readonly Operand[], beats: (a: Operand, b: Operand) => boolean): Operand {
  const [only] = args;
  const candidates = args.length === 1 && typeof only === 'string' ? Array.from(only) : args;
  if (candidates === args && args.length < 2)
    throw new PythonError('TypeError', 'max and min take two or more arguments');
  const [first, ...others] = candidates;
  if (first === undefined) throw new PythonError('ValueError', 'an empty text has no greatest letter');
  return others.reduce((best, other) => (beats(other, best) ? other : best), first);
}

function arithmetic(
  a: Operand,
  b: Operand,
  operator: string,
  ofInts: (x: bigint, y: bigint) => bigint,
  ofFloats: (x: number, y: number) => number,
): Operand {
  if (!isNumeric(a) || !isNumeric(b)) throw mismatch(a, operator, b);
  const [x, y] = [number(a), number(b)];
  if (typeof x === 'bigint' && typeof y === 'bigint') return boundedInt(ofInts(x, y));
  return ofFloats(asFloat(x), asFloat(y));
}

function repeated(sequence: string | readonly Operand[], times: Operand): Operand {
  const count = typeof times === 'boolean' ? BigInt(times) : times;
  if (typeof count !== 'bigint') throw mismatch(sequence, '*', times);
  const wanted = count < 0n ? 0n : count;
  if (wanted * BigInt(sizeOf(sequence)) > (typeof sequence === 'string' ? MAX_LENGTH : MAX_ELEMENTS)) throw tooLarge();
  const n = sequence.length === 0 ? 0 : Number(wanted);
  return typeof sequence === 'string' ? sequence.repeat(n) : Array.from({ length: n }, () => sequence).flat();
}

function asFloat(value: bigint | number): number {
  const float = Number(value);
  if (typeof value === 'bigint' && !Number.isFinite(float)) throw tooLarge();
  return float;
}

function bits(value: bigint): number {
  return (value < 0n ? -value : value).toString(2).length;
}

const LARGEST = 1n << BigInt(MAX_BITS);

function boundedInt(value: bigint): bigint {
  if (value > LARGEST || value < -LARGEST) throw tooLarge();
  return value;
}

function bounded<T>(size: number, most: number, make: () => T): T {
  if (size > most) throw tooLarge();
  return make();
}

/** Letters of a text; elements of a list, and those of its elements. */
function sizeOf(sequence: string | readonly Operand[]): number {
  if (typeof sequence === 'string') return sequence.length;
  return sequence.reduce<number>((size, item) => size + (typeof item === 'object' ? sizeOf(item) : 0), sequence.length);
}

function tooLarge(): PythonError {
  return new PythonError('OverflowError', 'a value of the expression is too large');
}

function mismatch(a: Operand, operator: string, b: Operand): PythonError {
  return new PythonError('TypeError', `${kindOf(a)} ${operator} ${kindOf(b)} has no meaning`);
}
