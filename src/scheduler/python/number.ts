import { PythonError } from './python-error.js';
import { strip } from './text.js';
import { kindOf, type Value } from './value.js';

/** Python's `float(value)`: texts as `1_000`, ` .5 `, `inf` and `NaN` too. Throws ValueError, or TypeError for no number. */
export function toFloat(value: Value | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'string') throw new PythonError('TypeError', `${kindOf(value)} is no number`);
  const parsed = parseFloatText(value);
  if (parsed === undefined) throw new PythonError('ValueError', `'${value}' is no number`);
  return parsed;
}

/** The number that Python's `float` reads from a text; undefined where it raises ValueError. */
export function parseFloatText(text: string): number | undefined {
  const plain = withAsciiDigits(strip(text));
  const special = SPECIAL.exec(plain);
  if (special) {
    const [, sign, word = ''] = special;
    if (word.toLowerCase() === 'nan') return NaN;
    return sign === '-' ? -Infinity : Infinity;
  }
  return DECIMAL.test(plain) ? Number(plain.replaceAll('_', '')) : undefined;
}

/** Python's `int(value)`: truncates toward zero. Throws TypeError, ValueError, or OverflowError for an infinity. */
export function toInt(value: Value | undefined): number {
  if (typeof value === 'string') return parseIntText(value);
  const number = operand(value);
  if (Number.isNaN(number)) throw new PythonError('ValueError', 'NaN is no integer');
  if (!Number.isFinite(number)) throw new PythonError('OverflowError', 'an infinity is no integer');
  return Math.trunc(number);
}

/** The integer that Python's `int` reads from a text. Throws ValueError. */
function parseIntText(text: string): number {
  const digits = integerText(text);
  if (digits === undefined) throw new PythonError('ValueError', `'${text}' is no integer`);
  return Number(digits);
}

/** The same without a bound on the digits; undefined where Python raises ValueError. */
export function integerOf(text: string): bigint | undefined {
  const digits = integerText(text);
  // Python, too, reads no more digits than this
  if (digits === undefined || digits.length > MAX_DIGITS) return undefined;
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''));
}

const MAX_DIGITS = 4_300;

function integerText(text: string): string | undefined {
  const plain = withAsciiDigits(strip(text));
  return INTEGER.test(plain) ? plain.replaceAll('_', '') : undefined;
}

/** A value as an operand of arithmetic or of an ordering, where text does not count. Throws TypeError. */
export function operand(value: Value | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  throw new PythonError('TypeError', `${kindOf(value)} is no number`);
}

/** Python's `round(x, 2)`: the nearest decimal of the exact binary value, ties to even. */
export function roundToHundredths(x: number): number {
  if (!Number.isFinite(x)) return x;
  const [scaled, nearest] = [x * 100, Math.round(x * 100)];
  // Below this bound the product is off by less than what keeps it from the middle between two hundredths.
  if (Math.abs(scaled) < SURE_BELOW && Math.abs(scaled - nearest) < 0.499) return nearest / 100;
  const eighths = (x % 1) * 8;
  // Only odd eighths lie exactly half-way between two hundredths; toFixed is exact, but takes ties away from zero.
  const tie = Number.isInteger(eighths) ? TIES[Math.abs(eighths)] : undefined;
  if (tie === undefined) return Number(x.toFixed(2));
  return Math.sign(x) * Number(`${Math.trunc(Math.abs(x))}.${tie}`);
}

const SURE_BELOW = 1e12;

/** Hundredths of 1/8, 3/8, 5/8 and 7/8, ties to even. */
const TIES: Readonly<Record<number, string>> = { 1: '12', 3: '38', 5: '62', 7: '88' };

const ASCII = /^\p{ASCII}*$/u;
const SPECIAL = /^([+-]?)(inf|infinity|nan)$/i;
const INTEGER = /^[+-]?\d(?:_?\d)*$/;
const DECIMAL = /^[+-]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?$/i;

function withAsciiDigits(text: string): string {
  if (ASCII.test(text)) return text;
  return text.replace(/\p{Nd}/gu, (digit) => (digit <= '9' ? digit : String(digitValue(digit))));
}

/** Unicode lays decimal digits in runs of ten that begin at zero. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let first = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return (code - first) % 10;
}
