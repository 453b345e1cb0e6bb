import type { Tokens } from '../events/tokens.js';
import { invalid } from './validation.js';

/** Pages of lists that are in the order of a text: a name, or an id. `list` names the list and whatever narrows it. */
export interface NamePages {
  /** The text of the last row of the page before; undefined for the first page. Throws InvalidInput for another list's token. */
  open(list: string, token: string): string | undefined;
  /** Cuts a page out of rows that were read with one more than a page holds, and says where the next one begins. */
  cut<T>(list: string, rows: readonly T[], size: number, textOf: (row: T) => string): NamePage<T>;
}

export interface NamePage<T> {
  readonly rows: readonly T[];
  readonly nextPageToken: string;
}

export function namePages(tokens: Tokens): NamePages {
  const purpose = (list: string): string => `page:${list}`;
  return {
    open(list, token) {
      if (token === '') return undefined;
      const text = tokens.open(purpose(list), token);
      if (text === undefined)
        throw invalid('page_token', 'is not a next_page_token of this list with these parameters');
      return text;
    },
    cut(list, rows, size, textOf) {
      const last = rows[size - 1];
      if (rows.length <= size || last === undefined) return { rows, nextPageToken: '' };
      return { rows: rows.slice(0, size), nextPageToken: tokens.sign(purpose(list), textOf(last)) };
    },
  };
}
