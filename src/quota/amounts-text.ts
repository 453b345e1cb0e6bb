import { isUuid } from '../objects/ids.js';
import { type Amounts, sortedAmounts } from './resources.js';
import { longId, shortId } from './short-id.js';

/** Letters for the names of resources, as in scripts/redis/quota/ledger.lua. */
const LETTERS: ReadonlyMap<string, string> = new Map([
  ['backups', 'b'],
  ['backup_gigabytes', 'B'],
  ['gigabytes', 'g'],
  ['groups', 'G'],
  ['snapshots', 's'],
  ['volumes', 'v'],
]);
const NAMES: ReadonlyMap<string, string> = new Map([...LETTERS].map(([name, letter]) => [letter, name]));

/** Characters of a note that are kept. */
const MAX_NOTE = 64;

/**
 * The form in which scripts get, store and compare amounts: `g10v1 g10v1_<type>`, equal for equal amounts. It is this short
 * because every live reservation holds one. Throws RangeError as `sortedAmounts`, and on what is no counted resource.
 */
export function encodeAmounts(amounts: Amounts): string {
  const words = new Map<string, string>();
  for (const [resource, amount] of sortedAmounts(amounts)) {
    const { letter, type } = abbreviated(resource);
    words.set(type, `${words.get(type) ?? ''}${letter}${amount}`);
  }
  return [...words].map(([type, items]) => items + type).join(' ');
}

/**
 * Amounts in that form with a word of who made them, cut at 64 characters; it does not count when they are compared. The
 * id of a request is kept in short.
 */
export function withNote(text: string, note: string): string {
  if (note === '') return text;
  const [, uuid = ''] = /^req-(.*)$/.exec(note) ?? [];
  return isUuid(uuid) ? `${text}|#${shortId(uuid)}` : `${text}|${note.slice(0, MAX_NOTE)}`;
}

/** Reads what a script had stored. */
export function decodeAmounts(text: string): { readonly deltas: [resource: string, amount: number][]; note: string } {
  const [amounts = '', ...rest] = text.split('|');
  const note = rest.join('|');
  const [, request] = /^#(.{22})$/.exec(note) ?? [];
  const deltas = amounts.split(' ').flatMap((word) => {
    const [, items = '', type = ''] = /^([^_]*)(.*)$/.exec(word) ?? [];
    return [...items.matchAll(/([a-zA-Z])(-?\d+)/g)].map(([, letter = '', amount]): [string, number] => [
      (NAMES.get(letter) ?? letter) + type,
      Number(amount),
    ]);
  });
  return { deltas, note: request === undefined ? note : `req-${longId(request)}` };
}

/** `gigabytes_<type>` → `g`, `_<type>`. */
function abbreviated(resource: string): { readonly letter: string; readonly type: string } {
  const whole = LETTERS.get(resource);
  if (whole !== undefined) return { letter: whole, type: '' };
  const [, base = '', type = ''] = /^([^_]*)(_[^\s|]+)$/.exec(resource) ?? [];
  const letter = LETTERS.get(base);
  if (letter === undefined) throw new RangeError(`${JSON.stringify(resource)} is not counted`);
  return { letter, type };
}
