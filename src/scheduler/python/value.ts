import { PythonError } from './python-error.js';

/** What a capability or a hint can hold: what JSON can. */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap;

/** A mapping. Read it with `get`: a key like `constructor` is the reporter's, never JavaScript's. */
export interface ValueMap {
  readonly [key: string]: Value;
}

/** The value of a key; undefined when it is absent, which is not the same as null. */
export function get(map: ValueMap, key: string): Value | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Whether a value is a list. Unlike `Array.isArray` it narrows read-only lists. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is a mapping. */
export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Python's `bool(value)`: null, false, 0, empty text, an empty list and an empty mapping are false. */
export function isTruthy(value: Value | undefined): boolean {
  if (typeof value === 'object' && value !== null) {
    return isList(value) ? value.length > 0 : Object.keys(value).length > 0;
  }
  return Number.isNaN(value) || Boolean(value);
}

/** Python's `a == b`: true equals 1, a number never equals text, lists and mappings are compared by content. */
export function equals(a: Value | undefined, b: Value | undefined): boolean {
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, index) => equals(item, b[index]));
  if (isMap(a)) return isMap(b) && sameEntries(a, b);
  return asNumber(a) === asNumber(b);
}

/** Python's `item in container`. Throws TypeError for a container that is none, and for a non-text item in text. */
export function contains(container: Value, item: Value | undefined): boolean {
  if (isList(container)) {
    return typeof item === 'string' ? container.includes(item) : container.some((member) => equals(member, item));
  }
  if (isMap(container)) return typeof item === 'string' && Object.hasOwn(container, item);
  if (typeof container !== 'string') throw new PythonError('TypeError', `${kindOf(container)} contains nothing`);
  if (typeof item !== 'string') throw new PythonError('TypeError', `text contains text only, not ${kindOf(item)}`);
  return container.includes(item);
}

/** The kind of a value in words, for messages. */
export function kindOf(value: Value | undefined): string {
  if (value === null || value === undefined) return 'nothing';
  if (isList(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

function sameEntries(a: ValueMap, b: ValueMap): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equals(get(a, key), get(b, key)))
  );
}

function asNumber<T>(value: T): T | number {
  return typeof value === 'boolean' ? Number(value) : value;
}
