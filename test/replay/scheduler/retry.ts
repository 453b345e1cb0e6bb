import type { Retry } from '#src/objects/request-spec.js';
import { checkMaxAttempts, countAttempt, noteBackend } from '#src/scheduler/retry.js';
import { replay } from '../replay.js';
import type { RecordedRetry } from './recorded.js';

interface Input {
  readonly scheduler_max_attempts: number;
  readonly filter_properties: { readonly retry?: RecordedRetry | null };
  readonly request: { readonly volume_id?: string };
  readonly chosen_backend: string;
}

const LISTS = ['backends', 'hosts'] as const;

export const retry = replay(
  'retry',
  ({ scheduler_max_attempts: max, filter_properties, request, chosen_backend }: Input) => {
    checkMaxAttempts(max);
    const recorded = filter_properties.retry ?? {};
    const isNew = Object.keys(recorded).length === 0;
    // Cinder keeps the same history in two lists; each list it has follows the rule that ours follows.
    const histories = LISTS.map((list) => {
      const counted = countAttempt(retryWith(recorded, list), max, request.volume_id);
      return { list, isKept: isNew || list in recorded, counted, noted: noteBackend(counted, chosen_backend) };
    });
    return {
      after_populate: entry(histories.map(({ list, isKept, counted }) => ({ list, isKept, retry: counted }))),
      after_select: entry(histories.map(({ list, isKept, noted }) => ({ list, isKept, retry: noted }))),
    };
  },
);

function retryWith(recorded: RecordedRetry, list: (typeof LISTS)[number]): Retry {
  return { numAttempts: recorded.num_attempts ?? 0, backends: recorded[list] ?? [], exc: recorded.exc ?? [] };
}

interface History {
  readonly list: string;
  readonly isKept: boolean;
  readonly retry: Retry | undefined;
}

function entry(histories: readonly History[]): object | null {
  const first = histories[0]?.retry;
  if (first === undefined) return null;
  const lists = histories.filter(({ isKept }) => isKept).map(({ list, retry }) => ({ [list]: retry?.backends }));
  return Object.assign({ num_attempts: first.numAttempts }, ...lists) as object;
}
