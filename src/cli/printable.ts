/** What steers a terminal or the order of its letters: control characters, line ends, and marks of direction. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Text with everything escaped that steers a terminal: names are chosen by users, and shown to others. */
export function printable(text: string): string {
  return text.replace(STEERING, (character) => SHORT[character] ?? escaped(character));
}

/** JSON with the same characters escaped: `JSON.stringify` leaves some of them as they are. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(STEERING, (character) =>
    character === '\n' ? character : escaped(character),
  );
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
