import { isDeepStrictEqual } from 'node:util';
import type { DescMethod } from '@bufbuild/protobuf';
import type { Fault } from '#src/errors/fault.js';
import { descriptors } from '../../support/rpc.js';
import { missingFrom, pathsIn } from './full-message.js';
import type { Arrival } from './servers.js';

/** What was seen of one call. */
export interface Seen {
  /** Requests that left the client. */
  readonly sent: number;
  readonly arrival: Arrival | undefined;
  readonly answer: unknown;
  readonly error: unknown;
}

/** How a call went, in words; beside the same call between two of the newest version. */
export function outcomeOf(seen: Seen, newest: Seen, service: string): string {
  const { sent, arrival, error } = seen;
  if (error !== undefined) return `${refusal(sent, arrival)}: ${reasonOf(error)}`;
  if (!arrival || !newest.arrival) return 'lost';
  const how = sent === 1 ? 'sent' : 'healed on retry: sent';
  return `${how} ${form(arrival, newest.arrival, service)} (${arrival.version})${answerForm(seen.answer, newest.answer)}`;
}

function refusal(sent: number, arrival: Arrival | undefined): string {
  if (arrival) return 'failed after it arrived';
  return sent === 0 ? 'refused before sending' : 'refused by the server';
}

function form(arrival: Arrival, newest: Arrival, service: string): string {
  if (arrival.method === newest.method && arrival.bytes.equals(newest.bytes)) return 'as is';
  const [was, is] = [pathsOf(newest, service), pathsOf(arrival, service)];
  const [without, withMore] = [missingFrom(is, was), missingFrom(was, is)];
  if (arrival.method !== newest.method) {
    const words = withMore.length > 0 ? ` with ${withMore.join(', ')} for ${without.join(', ')}` : '';
    return `as ${arrival.method}${words}`;
  }
  const parts = [
    ...(without.length > 0 ? [`without ${without.join(', ')}`] : []),
    ...(withMore.length > 0 ? [`with ${withMore.join(', ')}`] : []),
  ];
  return parts.length > 0 ? parts.join(' ') : 'as is';
}

function pathsOf({ method, bytes }: Arrival, service: string): readonly string[] {
  return pathsIn(methodOf(service, method).input, bytes);
}

/** Throws for a method that there is not. */
export function methodOf(service: string, name: string): DescMethod {
  const method = descriptors.registry.getService(service)?.methods.find((one) => one.name === name);
  if (!method) throw new Error(`there is no ${service}/${name}`);
  return method;
}

function answerForm(answer: unknown, newest: unknown): string {
  if (isDeepStrictEqual(answer, newest)) return '';
  const [was, is] = [pathsInValue(newest), pathsInValue(answer)];
  const [without, withMore] = [missingFrom(is, was), missingFrom(was, is)];
  if (without.length === 0 && withMore.length === 0) return '';
  const words = [
    ...(without.length > 0 ? [`without ${without.join(', ')}`] : []),
    ...(withMore.length > 0 ? [`with ${withMore.join(', ')}`] : []),
  ];
  return `${ANSWERED}${words.join(' ')}`;
}

const ANSWERED = '; answered ';

/** An outcome without what it says of the answer. */
export function withoutAnswer(outcome: string): string {
  return outcome.split(ANSWERED)[0] ?? '';
}

/** What an answer holds; as in a message, what is empty is not there. */
function pathsInValue(value: unknown): readonly string[] {
  const entries = value instanceof Map ? [] : Object.entries(value ?? {});
  return entries.flatMap(([key, one]: [string, unknown]) => {
    const items = Array.isArray(one) ? (one as unknown[]) : [one];
    return [...new Set(items.flatMap((item) => pathsOfItem(key, item)))];
  });
}

function pathsOfItem(key: string, item: unknown): readonly string[] {
  if (item === undefined || item === '' || item === 0 || item === false) return [];
  if (item instanceof Date || typeof item !== 'object') return [key];
  if (item instanceof Map) return item.size > 0 ? [key] : [];
  const inner = pathsInValue(item);
  return inner.length > 0 ? inner.map((path) => `${key}.${path}`) : [key];
}

/** Throws what is no refusal. */
function reasonOf(error: unknown): string {
  const { reason } = error as Partial<Fault>;
  if (reason === undefined) throw error;
  return reason;
}
