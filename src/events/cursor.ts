import type { EventCursor } from '../db/events.js';

/** A cursor as text, for a token. */
export function cursorToText({ tx, seq }: EventCursor): string {
  return `${tx}.${seq}`;
}

/** The cursor in the text of a token of ours. */
export function cursorFromText(text: string): EventCursor | undefined {
  const [, tx, seq] = /^(\d{1,16})\.(\d{1,16})$/.exec(text) ?? [];
  return tx === undefined || seq === undefined ? undefined : { tx: Number(tx), seq: Number(seq) };
}
