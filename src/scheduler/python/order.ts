import { PythonError } from './python-error.js';
import { compareText } from './text.js';
import { equals, isList, kindOf, type Value } from './value.js';

/** Python's `a < b`: numbers and booleans, texts by code point, lists by their first difference. Throws TypeError. */
export function isLess(a: Value, b: Value): boolean {
  if (isNumeric(a) && isNumeric(b)) return a < b;
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b) < 0;
  if (isList(a) && isList(b)) return isLessList(a, b);
  throw new PythonError('TypeError', `${kindOf(a)} and ${kindOf(b)} have no order`);
}

/** Python's `a <= b`, which for NaN is not the opposite of `b < a`. Throws TypeError. */
export function isLessOrEqual(a: Value, b: Value): boolean {
  return isNumeric(a) && isNumeric(b) ? a <= b : !isLess(b, a);
}

function isNumeric(value: Value): value is number | boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

function isLessList(a: readonly Value[], b: readonly Value[]): boolean {
  for (const [index, item] of a.entries()) {
    const other = b[index];
    if (other === undefined) return false;
    if (!equals(item, other)) return isLess(item, other);
  }
  return a.length < b.length;
}
