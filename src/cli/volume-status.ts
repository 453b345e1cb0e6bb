import { InvalidArgumentError } from 'commander';

import { didYouMean } from '../config/suggest.js';
import { VOLUME_STATUSES } from '../objects/volume-status.js';

/** By the proto's names; without its generated code, which help need not wait for. */
const WORDS: ReadonlyMap<string, string> = new Map(
  VOLUME_STATUSES.map((word) => [`VOLUME_STATUS_${word.replaceAll('-', '_').toUpperCase()}`, word]),
);

/** Cinder's word for a status, e.g. `in-use`. */
export function statusWord(status: string): string {
  return WORDS.get(status) ?? (status === 'UNRECOGNIZED' ? 'unknown to this client' : status);
}

/** Reads a status in Cinder's word and adds it to those before. Throws InvalidArgumentError. */
export function volumeStatus(given: string, before: readonly string[]): readonly string[] {
  const word = given.toLowerCase();
  if (VOLUME_STATUSES.some((each) => each === word)) return [...before, word];
  throw new InvalidArgumentError(`There is no such status${didYouMean(word, VOLUME_STATUSES) || '.'}`);
}
