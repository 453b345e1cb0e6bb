import { InvalidArgumentError, Option } from 'commander';

/** Reads a whole number. Throws InvalidArgumentError. */
export function integer(value: string): number {
  if (!/^-?\d{1,15}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}

/** Reads a whole number from 1 on. Throws InvalidArgumentError. */
export function count(value: string): number {
  const number = integer(value);
  if (number < 1) throw new InvalidArgumentError('It must be 1 or more.');
  return number;
}

/** Reads seconds, 1 to a day, as ms. Throws InvalidArgumentError. */
export function seconds(value: string): number {
  const number = count(value);
  if (number > 86_400) throw new InvalidArgumentError('It must be at most 86400, a day.');
  return number * 1_000;
}

/** Reads a limit of quota: -1 is none. Throws InvalidArgumentError. */
export function limit(value: string): number {
  const number = integer(value);
  if (number < -1 || number > 2_147_483_647)
    throw new InvalidArgumentError('It must be -1 (no limit) or up to 2147483647.');
  return number;
}

/** Reads a time, ISO 8601; without a zone it is UTC. Throws InvalidArgumentError. */
export function time(value: string): Date {
  const form = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(value);
  const date = new Date(form?.[1] !== undefined && form[4] === undefined ? `${value}Z` : value);
  if (form === null || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('It must be a time such as 2026-01-31 or 2026-01-31T12:00:00Z.');
  }
  return date;
}

/** Reads `key=value` and adds it to those before. Throws InvalidArgumentError. */
export function pair(value: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return new Map(before).set(value.slice(0, at), value.slice(at + 1));
}

/** Reads `resource=limit` and adds it to those before. Throws InvalidArgumentError. */
export function limitPair(value: string, before: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const [[resource = '', amount = ''] = []] = pair(value, new Map());
  return new Map(before).set(resource, limit(amount));
}

/** Adds a value to those before: the option may be repeated. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Scheduler hints by name. */
const HINTS = ['same_host', 'different_host', 'local_to_instance', 'query'] as const;

/** Reads a scheduler hint. Repeated hosts add up; the other hints are replaced. Throws InvalidArgumentError. */
export function hint(value: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [[key = '', word = ''] = []] = pair(value, new Map());
  if (!HINTS.some((name) => name === key)) throw new InvalidArgumentError(`There are ${HINTS.join(', ')}.`);
  const earlier = key.endsWith('_host') ? before.get(key) : undefined;
  return new Map(before).set(key, earlier === undefined ? word : `${earlier},${word}`);
}

/** A flag `--no-…` of its own, which commander would take for the opposite of `--…`. */
export function flag(flags: string, description: string): Option {
  const option = new Option(flags, description);
  option.negate = false;
  return option;
}
