import { isUuid } from '../objects/ids.js';

const SHORT_LENGTH = 22;

/** A UUID as Redis keeps it: 22 characters instead of 36, twice for every live reservation. Other ids stay as they are. */
export function shortId(id: string): string {
  return isUuid(id) ? Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url') : id;
}

/** The id as everybody else knows it. */
export function longId(short: string): string {
  if (short.length !== SHORT_LENGTH) return short;
  const hex = Buffer.from(short, 'base64url').toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
