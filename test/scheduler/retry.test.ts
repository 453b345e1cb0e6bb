import test from 'ava';
import type { Retry } from '#src/objects/request-spec.js';
import { checkMaxAttempts, countAttempt, noteBackend } from '#src/scheduler/retry.js';
import type { RecordedRetry } from './recorded.js';
import { failing, vectors } from './vectors.js';

interface Input {
  readonly scheduler_max_attempts: number;
  readonly filter_properties: { readonly retry?: RecordedRetry | null };
  readonly request: { readonly volume_id?: string };
  readonly chosen_backend: string;
}

const LISTS = ['backends', 'hosts'] as const;

test('attempts are counted and backends noted as Cinder does', (t) => {
  const cases = vectors<Input, unknown>('retry');
  const run = ({ scheduler_max_attempts: max, filter_properties, request, chosen_backend }: Input) => {
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
  };
  t.true(cases.length > 30);
  t.deepEqual(failing(cases, run), []);
});

test('the text of the last failure does not travel on', (t) => {
  const retry = { numAttempts: 1, backends: ['h@b#p'], exc: ['boom'] };
  t.deepEqual(countAttempt(retry, 3), { numAttempts: 2, backends: ['h@b#p'], exc: [] });
});

test('an attempt beyond the last names the volume', (t) => {
  t.throws(() => countAttempt({ numAttempts: 3, backends: [], exc: [] }, 3, 'v1'), {
    name: 'NoValidBackend',
    message: 'No valid backend was found. All 3 attempts to place volume v1 have failed.',
  });
});

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
