import type { FindingKind, Subject } from './kinds.js';

/** What does not agree, at one look. */
export interface Suspect {
  readonly kind: FindingKind;
  /** What it is about: an id, a project, a backend, a pool or a file. */
  readonly resource: string;
  /** In words, for operators. */
  readonly description: string;
  /** What must be the same at a second look, e.g. the epoch: else the system was only at work. */
  readonly sign: string;
  /**
   * Mends it, if it is still what the sign says, and answers what was done. Throws ChangedMeanwhile or RowCountMismatch
   * when it is not, NotMended when it cannot be. Of kinds that are repairable, and of no others; absent: this one is an
   * operator's business.
   */
  readonly repair?: (signal: AbortSignal) => Promise<string>;
  /** What an operator can do instead. @default the remedy of its kind */
  readonly byHand?: string;
}

/** A part of what a check looks at. */
export interface Range {
  /** Place behind which it begins; empty: the beginning. */
  readonly after: string;
  /** The last place in it. @default as many as fit in a page */
  readonly until?: string;
}

/** What one look saw. */
export interface Page {
  /** How many things were looked at. */
  readonly examined: number;
  readonly suspects: readonly Suspect[];
  /** The last place that was looked at, for the next page; absent: there is no more. */
  readonly last?: string;
  /** Nothing could be looked at; the suspects say why. @default false */
  readonly isBlind?: boolean;
}

/** Compares one thing with what it must agree with, page by page. */
export interface Check {
  readonly subject: Subject;
  /** Looks at a part. Changes nothing. Safe to repeat. */
  readonly look: (range: Range, signal: AbortSignal) => Promise<Page>;
}

/** A repair did nothing: what it was to mend has changed since it was looked at. */
export class ChangedMeanwhile extends Error {
  override readonly name = 'ChangedMeanwhile';
}

/** A repair did nothing: `message` says why this one thing cannot be mended. Others can. */
export class NotMended extends Error {
  override readonly name = 'NotMended';
}

/** Between the name of a list and a place in it. */
const BORDER = '\n';

/**
 * A check of several lists, one after the other; `look` is asked for parts of one list. Where the lists are not known before,
 * they are asked for once. Their names have no line ends.
 */
export function checkOfLists(
  subject: Subject,
  lists: readonly string[] | (() => Promise<readonly string[]>),
  look: (list: string, range: Range, signal: AbortSignal) => Promise<Page>,
): Check {
  let asked: Promise<readonly string[]> | undefined;
  return {
    subject,
    async look({ after, until }, signal) {
      const names = await (asked ??= typeof lists === 'function' ? lists() : Promise.resolve(lists));
      const [first] = names;
      if (first === undefined) return { examined: 0, suspects: [] };
      const [list, inner] = parted(after === '' ? first : after);
      const [lastList, lastInner] = parted(until ?? '');
      const range = lastList === list ? { after: inner, until: lastInner } : { after: inner };
      const { last, ...page } = await look(list, range, signal);
      if (last !== undefined) return { ...page, last: `${list}${BORDER}${last}` };
      const next = names[names.indexOf(list) + 1];
      return next === undefined ? page : { ...page, last: next };
    },
  };
}

function parted(place: string): readonly [list: string, inner: string] {
  const end = place.indexOf(BORDER);
  return end < 0 ? [place, ''] : [place.slice(0, end), place.slice(end + 1)];
}
