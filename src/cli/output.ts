import Table from 'cli-table3';

import { UsageError } from './parts.js';

/** `-f`: a table for people, JSON, or bare values for scripts. */
export const FORMATS = ['table', 'json', 'value'] as const;

export interface OutputOptions {
  readonly format: (typeof FORMATS)[number];
  /** `-c`: columns to show, in this order. Empty: all. */
  readonly columns: readonly string[];
}

/** A row or a record: column → value. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows under their columns. `columns` names them even where there are no rows. Throws UsageError on an unknown column. */
export function list(rows: readonly Row[], columns: readonly string[], options: OutputOptions): string {
  const chosen = choose(columns, options.columns);
  switch (options.format) {
    case 'json':
      return json(rows.map((row) => Object.fromEntries(chosen.map((column) => [column, row[column] ?? null]))));
    case 'value':
      return rows.map((row) => `${chosen.map((column) => text(row[column])).join(' ')}\n`).join('');
    case 'table':
      return table(
        chosen,
        rows.map((row) => chosen.map((column) => text(row[column]))),
      );
  }
}

/** One record, a field a line. Throws UsageError on an unknown column. */
export function record(row: Row, options: OutputOptions): string {
  const chosen = choose(Object.keys(row), options.columns);
  switch (options.format) {
    case 'json':
      return json(Object.fromEntries(chosen.map((field) => [field, row[field] ?? null])));
    case 'value':
      return chosen.map((field) => `${text(row[field])}\n`).join('');
    case 'table':
      return table(
        ['Field', 'Value'],
        chosen.map((field) => [field, text(row[field])]),
      );
  }
}

function choose(all: readonly string[], wanted: readonly string[]): readonly string[] {
  if (wanted.length === 0) return all;
  return wanted.map((name) => {
    const column = all.find((each) => each.toLowerCase() === name.toLowerCase());
    if (column === undefined) throw new UsageError(`There is no column '${name}'; there are ${all.join(', ')}.`);
    return column;
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new Table({ head: [...head], style: { head: [], border: [], compact: true }, chars: PLAIN });
  drawn.push(...rows.map((row) => [...row]));
  return `${drawn.toString()}\n`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return printable(value);
  if (typeof value !== 'object') return JSON.stringify(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(text).join(', ');
  return Object.entries(value)
    .map(([key, each]) => `${printable(key)}='${text(each)}'`)
    .join(', ');
}

/** Names are chosen by users and must not steer somebody's terminal. */
function printable(value: string): string {
  return value.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1).replace('\u007f', '\\u007f'));
}

/** The lines that OpenStack's tools draw. */
const PLAIN = {
  top: '-',
  'top-mid': '+',
  'top-left': '+',
  'top-right': '+',
  bottom: '-',
  'bottom-mid': '+',
  'bottom-left': '+',
  'bottom-right': '+',
  left: '|',
  'left-mid': '+',
  mid: '-',
  'mid-mid': '+',
  right: '|',
  'right-mid': '+',
  middle: '|',
};
