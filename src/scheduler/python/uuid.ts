import type { Value } from './value.js';

const DIGITS = /^[0-9a-f]{32}$/;

/** Whether oslo.utils takes a value for a UUID: in any case, with or without dashes, braces, `urn:` and `uuid:`. */
export function isUuidLike(value: Value): boolean {
  if (typeof value !== 'string') return false;
  const bare = value
    .replaceAll('urn:', '')
    .replaceAll('uuid:', '')
    .replace(/^[{}]+|[{}]+$/g, '')
    .replaceAll('-', '');
  return DIGITS.test(bare.toLowerCase());
}
