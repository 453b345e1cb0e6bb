import { asTable, type Option } from './option.js';

/** What an option's type takes beside its name and default. */
interface Words {
  readonly help: string;
  /** `in-url`: only the password of a URL is. @default false */
  readonly isSecret?: boolean | 'in-url';
}

interface Range extends Words {
  readonly min: number;
  /** @default none */
  readonly max?: number;
}

/** A whole number. `unit` is for the help. */
export function integer(name: string, fallback: number, range: Range & { readonly unit?: string }): Option<number> {
  return option({
    ...range,
    name,
    fallback,
    domain: rangeText('integer', range, range.unit),
    read: (raw) => inRange(wholeNumber(raw), range),
  });
}

/** A time given in whole seconds; its value is in milliseconds, and so is the name of its field. */
export function seconds(name: string, fallbackSeconds: number, range: Range): Option<number> {
  return option({
    ...range,
    name,
    fallback: fallbackSeconds * 1_000,
    domain: rangeText('integer', range, 's'),
    read: (raw) => inRange(wholeNumber(raw), range) * 1_000,
    show: (ms) => String(ms / 1_000),
  });
}

/** A number. */
export function decimal(name: string, fallback: number, range: Range): Option<number> {
  return option({
    ...range,
    name,
    fallback,
    domain: rangeText('number', range),
    read: (raw) => inRange(anyNumber(raw), range),
  });
}

/** `true` or `false`. */
export function flag(name: string, fallback: boolean, words: Words): Option<boolean> {
  return option({
    ...words,
    name,
    fallback,
    domain: 'true or false',
    read(raw) {
      if (typeof raw === 'boolean') return raw;
      if (raw === 'true') return true;
      if (raw === 'false') return false;
      throw new Error('must be true or false');
    },
  });
}

/** One of a few words. */
export function choice<const W extends string>(
  name: string,
  words: readonly W[],
  fallback: NoInfer<W>,
  rest: Words,
): Option<W> {
  return option<W>({
    ...rest,
    name,
    fallback,
    domain: words.join(' | '),
    read(raw) {
      const word = words.find((each) => each === raw);
      if (word === undefined) throw new Error(`must be one of ${words.join(', ')}`);
      return word;
    },
  });
}

/** Text that `pattern` matches; `shape` says in words what that is. */
export function text(
  name: string,
  fallback: string,
  words: Words & { readonly pattern?: RegExp; readonly shape?: string },
): Option<string> {
  return option({ ...words, name, fallback, domain: words.shape ?? 'text', read: textReader(words) });
}

/** Text that may be absent. */
export function optionalText(
  name: string,
  words: Words & { readonly pattern?: RegExp; readonly shape?: string },
): Option<string | undefined> {
  return option<string | undefined>({
    ...words,
    name,
    fallback: undefined,
    domain: words.shape ?? 'text',
    read: textReader(words),
  });
}

/** Text whose default depends on the surroundings or on options above it; `defaultText` says so in words. */
export function derivedText(
  name: string,
  defaultText: string,
  derive: Option<string>['fallback'],
  words: Words & { readonly pattern?: RegExp; readonly shape?: string },
): Option<string> {
  const plain = option({ ...words, name, fallback: '', domain: words.shape ?? 'text', read: textReader(words) });
  return { ...plain, fallback: derive, defaultText };
}

/** A list of words, each as `pattern` says; from the environment and flags separated by commas. */
export function list(
  name: string,
  fallback: readonly string[],
  words: Words & { readonly pattern?: RegExp; readonly shape?: string },
): Option<readonly string[]> {
  const { pattern = /./s, shape = 'words that are not empty' } = words;
  return option({
    ...words,
    name,
    fallback,
    domain: words.shape === undefined ? 'list, separated by commas' : `list of ${words.shape}, separated by commas`,
    read(raw) {
      const items: unknown[] = typeof raw === 'string' ? raw.split(',').map((word) => word.trim()) : asArray(raw);
      const bad = items.find((item) => typeof item !== 'string' || !pattern.test(item));
      if (bad !== undefined) throw new Error(`must be a list of ${shape}`);
      if (new Set(items).size !== items.length) throw new Error('names something twice');
      return items as string[];
    },
    show: (items) => items.join(','),
  });
}

/** RPC versions by binary: `cinder-scheduler=3.9,cinder-volume=3.15`, or a table in the file. */
export function versions(name: string, words: Words): Option<Readonly<Record<string, string>>> {
  return option<Readonly<Record<string, string>>>({
    ...words,
    name,
    fallback: {},
    domain: 'binary=version, separated by commas',
    read(raw) {
      const pairs = typeof raw === 'string' ? pairsOf(raw) : Object.entries(asTable(raw));
      for (const [binary, version] of pairs) {
        if (!BINARIES.includes(binary)) throw new Error(`knows ${BINARIES.join(' and ')}, not '${binary}'`);
        if (typeof version !== 'string' || !/^\d+\.\d+$/.test(version)) {
          throw new Error(`must give ${binary} a version like "3.9", in quotes in the file`);
        }
      }
      return Object.fromEntries(pairs) as Record<string, string>;
    },
    show: (value) =>
      Object.entries(value)
        .map(([binary, version]) => `${binary}=${version}`)
        .join(','),
  });
}

/** One version, or none. */
export function optionalVersion(name: string, words: Words): Option<string | undefined> {
  return optionalText(name, { ...words, pattern: /^\d{1,6}\.\d{1,6}$/, shape: 'a version like "3.9"' });
}

const BINARIES: readonly string[] = ['cinder-scheduler', 'cinder-volume'];

function option<T>(
  given: Words & Pick<Option<T>, 'name' | 'domain' | 'read'> & { fallback: T; show?: (value: T) => string },
): Option<T> {
  const show = given.show ?? ((value: T) => (value === undefined ? '' : String(value)));
  return {
    name: given.name,
    read: given.read,
    fallback: () => given.fallback,
    show,
    defaultText: given.fallback === undefined ? 'unset' : show(given.fallback) || 'empty',
    domain: given.domain,
    help: given.help,
    isSecret: given.isSecret ?? false,
  };
}

function textReader({
  pattern,
  shape,
}: {
  readonly pattern?: RegExp;
  readonly shape?: string;
}): (raw: unknown) => string {
  return (raw) => {
    if (typeof raw !== 'string' || !(pattern ?? /^.+$/s).test(raw)) throw new Error(`must be ${shape ?? 'text'}`);
    return raw;
  };
}

function wholeNumber(raw: unknown): number {
  const value = anyNumber(raw);
  if (!Number.isSafeInteger(value)) throw new Error('must be a whole number');
  return value;
}

function anyNumber(raw: unknown): number {
  const value = typeof raw === 'string' && /^[+-]?\d+(\.\d+)?$/.test(raw.trim()) ? Number(raw) : raw;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error('must be a number');
  return value;
}

function inRange(value: number, { min, max = Infinity }: Range): number {
  if (value >= min && value <= max) return value;
  throw new Error(max === Infinity ? `must be ${min} or more` : `must be ${min} to ${max}`);
}

function rangeText(kind: string, { min, max }: Range, unit?: string): string {
  const range = max === undefined ? `${min} or more` : `${min} to ${max}`;
  return `${kind}, ${range}${unit === undefined ? '' : ` ${unit}`}`;
}

function asArray(raw: unknown): unknown[] {
  if (!Array.isArray(raw)) throw new Error('must be a list');
  return raw as unknown[];
}

function pairsOf(raw: string): [string, string][] {
  return raw.split(',').map((pair) => {
    const [binary = '', version = ''] = pair.split('=', 2);
    return [binary.trim(), version.trim()];
  });
}
