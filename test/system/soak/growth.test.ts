import test from 'ava';
import { growthOf, linesOf, tableOf } from './growth.js';
import type { Sample } from './samples.js';

/** Twenty samples of one process, one table that keeps and one that does not. */
function samples(rss: (nth: number) => number, rows: (nth: number) => number, kept: (nth: number) => number): Sample[] {
  return Array.from({ length: 20 }, (_, nth) => ({
    ...{ atMs: nth * 1_000, requests: (nth + 1) * 100 },
    rss: new Map([['api1', rss(nth)]]),
    steady: new Map([['workers, rows', rows(nth)]]),
    kept: new Map([['events, rows', kept(nth)]]),
  }));
}

const problems = (...of: Parameters<typeof samples>): readonly (string | undefined)[] =>
  linesOf(samples(...of)).map(({ problem }) => problem);

const up = (nth: number): number => 100 + nth;
const swings = (nth: number): number => 100 + (nth % 3) * 4;
const perRequest = (nth: number): number => (nth + 1) * 300;

test('what swings, and what grows with the requests alone, is no problem', (t) => {
  t.deepEqual(problems(swings, swings, perRequest), [undefined, undefined, undefined]);
  t.deepEqual(
    problems((nth) => Math.min(up(nth), 108), swings, perRequest),
    [undefined, undefined, undefined],
    'what grew while it became warm',
  );
  const takenAndGiven = (nth: number): number => (nth < 5 ? 120 : 90 + nth);
  t.deepEqual(problems(takenAndGiven, swings, perRequest), [undefined, undefined, undefined]);
});

test('memory, rows and rows a request that go up and up are problems', (t) => {
  t.deepEqual(problems(up, swings, perRequest), ['grew by 7.9 % over the second half', undefined, undefined]);
  t.deepEqual(
    problems(swings, (nth) => nth * 10, perRequest),
    [undefined, 'went up to 190, from 90 at most', undefined],
  );
  t.deepEqual(
    problems(swings, swings, (nth) => (nth + 1) ** 2 * 100),
    [...[undefined, undefined, '20.00 rows a request, from 11.00']],
  );
});

test('growth is that of the line through all points, not of the last one', (t) => {
  t.is(growthOf([0, 1, 2, 3, 4].map((at) => [at, 100])), 0);
  t.true(Math.abs(growthOf([0, 1, 2, 3, 4].map((at) => [at, 98 + at])) - 0.04) < 1e-9);
  t.true(growthOf([...Array.from({ length: 30 }, (_, at) => [at, 100] as const), [30, 120]]) < 0.05);
});

test('the table has a line for each figure, and says what is wrong with it', (t) => {
  const table = tableOf(linesOf(samples(up, swings, perRequest))).split('\n');
  t.is(table.length, 4);
  t.regex(table[1] ?? '', /^api1, RSS MiB +100 +110 +119 +7\.9 % +grew by 7\.9 % over the second half$/);
});
