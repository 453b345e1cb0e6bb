/** What `str.split` and `str.strip` take for white space; not JavaScript's `\s`. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const SPACES = new RegExp(`${SPACE}+`);
const OUTER = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

/** Python's `text.strip()`. */
export function strip(text: string): string {
  return text.replace(OUTER, '');
}

/** Python's `text.split()`: the words, none for blank text. */
export function splitWords(text: string): string[] {
  return text.split(SPACES).filter((word) => word !== '');
}

/** Orders texts by code point, as Python does; JavaScript's `<` orders by UTF-16 unit. */
export function compareText(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let index = 0; index < end; index += 1) {
    const [x, y] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Units of surrogate pairs stand for code points above every other unit's. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

const TRUE_WORDS = new Set(['1', 't', 'true', 'on', 'y', 'yes']);

/** Whether a text is one of oslo's words for true, in any case, trimmed; everything else is false. */
export function isTrueWord(text: string): boolean {
  return TRUE_WORDS.has(strip(text).toLowerCase());
}
