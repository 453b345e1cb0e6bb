import type { Sample } from './samples.js';

/** Of the mean, over the second half. */
const MOST_RSS_GROWTH = 0.05;
/** What moves up and down with the load may be so much more in the second half than in the first. */
const MOST_STEADY = 1.2;
const SWING = 16;
/** Rows for each request, at the end against the middle. */
const MOST_KEPT = 1.05;

/** A line of the table: a figure in the beginning, in the middle and in the end, and what is wrong with it. */
export interface Line {
  readonly name: string;
  readonly first: number;
  readonly middle: number;
  readonly last: number;
  /** Of memory: what it grew by over the second half, of its mean. */
  readonly growth: number | undefined;
  readonly problem: string | undefined;
}

/** What has become of every figure. At least four samples. */
export function linesOf(samples: readonly Sample[]): readonly Line[] {
  const half = Math.floor(samples.length / 2);
  const [first, middle, last] = [samples[0], samples[half], samples.at(-1)];
  if (!first || !middle || !last || samples.length < 4) throw new Error('too few samples');
  const names = (of: 'rss' | 'steady' | 'kept'): readonly string[] => [...last[of].keys()];
  const line = (of: 'rss' | 'steady' | 'kept', name: string): Omit<Line, 'growth' | 'problem'> => ({
    name: of === 'rss' ? `${name}, RSS MiB` : name,
    ...{ first: first[of].get(name) ?? 0, middle: middle[of].get(name) ?? 0, last: last[of].get(name) ?? 0 },
  });
  const most = (some: readonly Sample[], of: 'rss' | 'steady', name: string): number =>
    Math.max(...some.map((sample) => sample[of].get(name) ?? 0));
  const highest = (of: 'rss' | 'steady', name: string): readonly [before: number, after: number] => [
    most(samples.slice(0, half), of, name),
    most(samples.slice(half), of, name),
  ];
  return [
    ...names('rss').map((name) => {
      const growth = growthOf(samples.slice(half).map((sample) => [sample.atMs, sample.rss.get(name) ?? 0]));
      const [before, after] = highest('rss', name);
      // what it had before, and what the kernel had taken in between, is no growth
      const problem =
        growth >= MOST_RSS_GROWTH && after > before ? `grew by ${percent(growth)} over the second half` : undefined;
      return { ...line('rss', name), growth, problem };
    }),
    ...names('steady').map((name) => {
      const [before, after] = highest('steady', name);
      const problem = after > before * MOST_STEADY + SWING ? `went up to ${after}, from ${before} at most` : undefined;
      return { ...line('steady', name), growth: undefined, problem };
    }),
    ...names('kept').map((name) => {
      const rate = (sample: Sample): number => (sample.kept.get(name) ?? 0) / Math.max(1, sample.requests);
      const isMore = rate(last) > rate(middle) * MOST_KEPT + SWING / last.requests;
      const problem = isMore ? `${rate(last).toFixed(2)} rows a request, from ${rate(middle).toFixed(2)}` : undefined;
      return { ...line('kept', name), growth: undefined, problem };
    }),
  ];
}

/** What a straight line through the points goes up by, of their mean. */
export function growthOf(points: readonly (readonly [at: number, value: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanAt, meanValue] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))];
  const above = points.reduce((sum, [at, value]) => sum + (at - meanAt) * (value - meanValue), 0);
  const below = points.reduce((sum, [at]) => sum + (at - meanAt) ** 2, 0);
  const span = (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0);
  return below === 0 || meanValue === 0 ? 0 : ((above / below) * span) / meanValue;
}

/** The table, for a terminal. */
export function tableOf(lines: readonly Line[]): string {
  const cells = lines.map(({ name, first, middle, last, growth, problem }) => [
    ...[name, ...[first, middle, last].map((value) => String(Math.round(value)))],
    ...[growth === undefined ? '' : percent(growth), problem ?? ''],
  ]);
  const rows = [['', 'first', 'middle', 'last', 'growth', ''], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}
