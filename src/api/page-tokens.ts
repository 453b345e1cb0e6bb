import type { Fault } from '../errors/fault.js';
import type { Tokens } from '../events/tokens.js';
import { invalid } from './validation.js';

/** Where a page of a list, newest first, goes on. */
export interface PageKey {
  readonly createdAt: number;
  readonly id: string;
}

/** What every list needs for its pages. `list` names the list and whatever narrows it, so that no token fits another. */
export interface PageTokens {
  /** Undefined for the first page. Throws InvalidInput for a token that is not of this list. */
  open(list: string, token: string): PageKey | undefined;
  sign(list: string, last: PageKey): string;
  /** As `open`, for lists in an order of their own: the values that `signValues` was given. */
  openValues(list: string, token: string): readonly PageValue[] | undefined;
  signValues(list: string, values: readonly PageValue[]): string;
}

/** What a place in an order is made of. */
export type PageValue = string | number | null;

export function pageTokens(tokens: Tokens): PageTokens {
  const opened = (list: string, token: string): string => {
    const text = tokens.open(`page:${list}`, token);
    if (text === undefined) throw foreign();
    return text;
  };
  return {
    open(list, token) {
      if (token === '') return undefined;
      const [, createdAt, id] = /^(\d{1,16}) (\S{1,64})$/.exec(opened(list, token)) ?? [];
      if (createdAt === undefined || id === undefined) throw foreign();
      return { createdAt: Number(createdAt), id };
    },
    sign: (list, { createdAt, id }) => tokens.sign(`page:${list}`, `${createdAt} ${id}`),
    // what was signed is what comes back
    openValues: (list, token) => (token === '' ? undefined : (JSON.parse(opened(list, token)) as readonly PageValue[])),
    signValues: (list, values) => tokens.sign(`page:${list}`, JSON.stringify(values)),
  };
}

function foreign(): Fault<'InvalidInput'> {
  return invalid('page_token', 'is not a next_page_token of this list with these parameters');
}

/** Cuts a page out of rows that were read with one more than a page holds, and says where the next one begins. */
export function page<T extends PageKey>(
  rows: readonly T[],
  size: number,
  sign: (last: PageKey) => string,
): { readonly rows: readonly T[]; readonly nextPageToken: string } {
  const last = rows[size - 1];
  if (rows.length <= size || !last) return { rows, nextPageToken: '' };
  return { rows: rows.slice(0, size), nextPageToken: sign(last) };
}
