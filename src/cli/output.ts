import { UsageError } from './parts.js';
import { printable, printableJson } from './printable.js';

/** `-f`: a table for people; JSON, YAML or CSV for programs; bare values for scripts. */
export const FORMATS = ['table', 'json', 'value', 'csv', 'yaml'] as const;

export interface OutputOptions {
  readonly format: (typeof FORMATS)[number];
  /** `-c`: columns to show, in this order. Empty: the usual ones. */
  readonly columns: readonly string[];
}

/** A row or a record: column → value. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Rows under their columns. `usual` are shown where `-c` names none, also where there are no rows; `more` are shown when it
 * does. Throws UsageError on an unknown column.
 */
export function list(
  rows: readonly Row[],
  usual: readonly string[],
  options: OutputOptions,
  more: readonly string[] = [],
): Promise<string> {
  const columns = chosen(usual, more, options.columns);
  return write(options.format, columns, rows);
}

/** One record, a field a line. Throws UsageError on an unknown column. */
export async function record(row: Row, options: OutputOptions): Promise<string> {
  const fields = chosen(Object.keys(row), [], options.columns);
  switch (options.format) {
    case 'json':
      return `${printableJson(pick(row, fields), 2)}\n`;
    case 'yaml':
      return fields.map((field) => `${yamlPair(field, row[field])}\n`).join('');
    case 'value':
      return fields.map((field) => `${text(row[field])}\n`).join('');
    case 'csv':
      return csv(fields, [row]);
    case 'table':
      return table(
        ['Field', 'Value'],
        fields.map((field) => [field, text(row[field])]),
      );
  }
}

async function write(
  format: OutputOptions['format'],
  columns: readonly string[],
  rows: readonly Row[],
): Promise<string> {
  switch (format) {
    case 'json':
      return `${printableJson(
        rows.map((row) => pick(row, columns)),
        2,
      )}\n`;
    case 'yaml':
      return rows.length === 0 ? '[]\n' : rows.map((row) => yamlItem(row, columns)).join('');
    case 'value':
      return rows.map((row) => `${columns.map((column) => text(row[column])).join(' ')}\n`).join('');
    case 'csv':
      return csv(columns, rows);
    case 'table':
      return table(
        columns,
        rows.map((row) => columns.map((column) => text(row[column]))),
      );
  }
}

function chosen(usual: readonly string[], more: readonly string[], wanted: readonly string[]): readonly string[] {
  if (wanted.length === 0) return usual;
  const all = [...new Set([...usual, ...more])];
  return wanted.map((name) => {
    const column = all.find((each) => each.toLowerCase() === name.toLowerCase());
    if (column === undefined) throw new UsageError(`There is no column '${name}'; there are ${all.join(', ')}.`);
    return column;
  });
}

function pick(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}

/** Loaded when a table is drawn: what scripts ask for does not wait for it. */
async function table(head: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const drawn = new Table({ head: [...head], style: { head: [], border: [], compact: true }, chars: PLAIN });
  drawn.push(...rows.map((row) => [...row]));
  return `${drawn.toString()}\n`;
}

/** RFC 4180, with texts always in quotes, as OpenStack's tools write it. */
function csv(columns: readonly string[], rows: readonly Row[]): string {
  const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;
  const cell = (value: unknown): string => (typeof value === 'number' ? String(value) : quoted(text(value)));
  const lines = [columns.map(quoted), ...rows.map((row) => columns.map((column) => cell(row[column])))];
  return lines.map((cells) => `${cells.join(',')}\n`).join('');
}

/** YAML takes JSON's form of any value. */
function yamlPair(name: string, value: unknown): string {
  const key = /^\w+$/.test(name) ? name : JSON.stringify(name);
  return `${key}: ${printableJson(value ?? null)}`;
}

function yamlItem(row: Row, columns: readonly string[]): string {
  return columns.map((column, index) => `${index === 0 ? '-' : ' '} ${yamlPair(column, row[column])}\n`).join('');
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
