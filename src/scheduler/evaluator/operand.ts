import { PythonError } from '../python/python-error.js';
import { compareText } from '../python/text.js';

/** A value while an expression is evaluated: Python's int is a bigint here, its float a number. */
export type Operand = boolean | bigint | number | string | readonly Operand[];

/** Python's `bool(value)`. */
export function isTrue(value: Operand): boolean {
  return typeof value === 'object' ? value.length > 0 : Number.isNaN(value) || Boolean(value);
}

/** Python's `a == b`: numbers by value whatever their kind, true is 1; other kinds are never equal. */
export function isEqual(a: Operand, b: Operand): boolean {
  if (typeof a === 'object' || typeof b === 'object') {
    const areLists = typeof a === 'object' && typeof b === 'object';
    return areLists && a.length === b.length && a.every((item, index) => isEqual(item, b[index] ?? false));
  }
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  const [x, y] = [number(a), number(b)];
  // an int and a float compare exactly; strict equality of a bigint and a number is always false
  return x <= y && x >= y;
}

/** Python's `a < b`. Throws TypeError for kinds that have no order. */
export function isLess(a: Operand, b: Operand): boolean {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b) < 0;
  if (typeof a === 'object' && typeof b === 'object') return isLessList(a, b);
  if (!isNumeric(a) || !isNumeric(b)) throw unordered(a, b);
  return number(a) < number(b);
}

/** Python's `a <= b`, which for NaN is not the opposite of `b < a`. Throws TypeError. */
export function isLessOrEqual(a: Operand, b: Operand): boolean {
  if (isNumeric(a) && isNumeric(b)) return number(a) <= number(b);
  return !isLess(b, a);
}

/** Whether a value takes part in arithmetic. */
export function isNumeric(value: Operand): value is boolean | bigint | number {
  return typeof value !== 'string' && typeof value !== 'object';
}

/** A number as an int or a float; true is 1. */
export function number(value: boolean | bigint | number): bigint | number {
  return typeof value === 'boolean' ? BigInt(value) : value;
}

/** Python's name of a value's kind, for messages. */
export function kindOf(value: Operand): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'string':
      return 'str';
    default:
      return 'list';
  }
}

/** The first difference decides, else the length. */
function isLessList(a: readonly Operand[], b: readonly Operand[]): boolean {
  for (const [index, item] of a.entries()) {
    const other = b[index];
    if (other === undefined) return false;
    if (!isEqual(item, other)) return isLess(item, other);
  }
  return a.length < b.length;
}

function unordered(a: Operand, b: Operand): PythonError {
  return new PythonError('TypeError', `${kindOf(a)} and ${kindOf(b)} have no order`);
}
