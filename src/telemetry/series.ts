import type { Metric, Registry } from 'prom-client';

/** What is said of a metric: it becomes its HELP line and its row in docs/metrics.md. */
export interface Described<L extends string> {
  /** With its unit, e.g. `cinder_sql_seconds`. */
  readonly name: string;
  readonly help: string;
  /** @default none */
  readonly labels?: readonly L[];
}

/** Series of one metric; whatever would be one more is counted under `other`, so that no caller can fill the memory. */
const MAX_SERIES = 1_000;
const OTHER = 'other';

/** One line of a metric. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * Hands a metric of ours to the registry, which asks it for its name, its type and `get()`; only its typings ask for more.
 * Throws for a name that is taken.
 */
function register(metric: { readonly name: string; get(): Promise<object> }, registry: Registry): void {
  registry.registerMetric(metric as unknown as Metric);
}

/** How a metric prints itself. */
function printed({ name, help }: Described<string>, type: string, values: readonly Sample[]): object {
  return { name, help, type, aggregator: 'sum', values };
}

/** One series, and the values of its labels. */
interface Entry<S> {
  readonly values: readonly string[];
  readonly series: S;
}

type Tree<S> = Map<string, Tree<S> | Entry<S>>;

/** The way to the one series of a metric without labels. */
const NO_LABELS = [''] as const;

/**
 * The series of one metric, by the values of their labels. prom-client hashes the labels at each observation, which takes
 * half a microsecond; here a series is found by a look into a map for each label, and then only counted.
 */
abstract class Series<L extends string, S> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
  abstract readonly type: 'counter' | 'histogram';
  readonly #entries: Entry<S>[] = [];
  /** The entries by their first value, then by their second, …: joining the values costs more than a few looks. */
  readonly #tree: Tree<S> = new Map();

  constructor({ name, help, labels = [] }: Described<L>, registry: Registry) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    register(this, registry);
  }

  /** The series with these values of the labels, in the labels' order. */
  with(...values: readonly string[]): S {
    let at: Tree<S> | Entry<S> | undefined = this.#tree;
    for (const value of this.labels.length === 0 ? NO_LABELS : values)
      at = at instanceof Map ? at.get(value) : undefined;
    return at === undefined || at instanceof Map ? this.#add(values) : at.series;
  }

  /** What the registry prints. */
  async get(): Promise<object> {
    return printed(this, this.type, this.#samples());
  }

  protected abstract create(): S;
  protected abstract print(series: S, labels: Readonly<Record<string, string>>): readonly Sample[];

  #add(values: readonly string[]): S {
    const isOther = values.every((value) => value === OTHER);
    // one place is kept for what is too much
    if (!isOther && this.#entries.length >= MAX_SERIES) return this.with(...this.labels.map(() => OTHER));
    const entry = { values: [...values], series: this.create() };
    this.#entries.push(entry);
    const path = this.labels.length === 0 ? NO_LABELS : values;
    let branch = this.#tree;
    for (const value of path.slice(0, -1)) {
      const next = branch.get(value);
      const child: Tree<S> = next instanceof Map ? next : new Map<string, Tree<S> | Entry<S>>();
      branch.set(value, child);
      branch = child;
    }
    branch.set(path.at(-1) ?? '', entry);
    return entry.series;
  }

  #samples(): readonly Sample[] {
    return this.#entries.flatMap(({ values, series }) =>
      this.print(series, Object.fromEntries(this.labels.map((label, index) => [label, values[index] ?? '']))),
    );
  }
}

/** A number that only grows. */
export class Count {
  value = 0;

  inc(by = 1): void {
    this.value += by;
  }
}

/** Counters, one for each combination of labels. */
export class Counter<L extends string = never> extends Series<L, Count> {
  readonly type = 'counter';

  protected create(): Count {
    return new Count();
  }

  protected print({ value }: Count, labels: Readonly<Record<string, string>>): readonly Sample[] {
    return [{ metricName: this.name, labels, value }];
  }
}

/** Observations of one series: how many up to each bound, their number and their sum. */
export class Distribution {
  readonly counts: Float64Array;
  count = 0;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index += 1; // index is in range
    if (index < bounds.length) (this.counts[index] as number) += 1;
    this.count += 1;
    this.sum += value;
  }
}

/** Histograms, one for each combination of labels. */
export class Histogram<L extends string = never> extends Series<L, Distribution> {
  readonly type = 'histogram';
  readonly #bounds: readonly number[];

  /** `bounds` ascend. */
  constructor(described: Described<L>, bounds: readonly number[], registry: Registry) {
    super(described, registry);
    this.#bounds = bounds;
  }

  protected create(): Distribution {
    return new Distribution(this.#bounds);
  }

  protected print({ counts, count, sum }: Distribution, labels: Readonly<Record<string, string>>): readonly Sample[] {
    let below = 0;
    const buckets = this.#bounds.map((le, index) => {
      below += counts[index] ?? 0;
      return { metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}

/** Bounds for what takes from a tenth of a millisecond to ten seconds, s. */
export const SHORT_S = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

/** Bounds for work that a user waits for, from five milliseconds to ten minutes, s. */
export const LONG_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600] as const;

/** What a reading says: a value, and the values of the labels. Nothing: there is nothing to say now. */
export type Read = readonly [value: number, ...labels: string[]];
export type ReadNow = () => Iterable<Read> | Promise<Iterable<Read>>;

/** A reading that takes longer is left out of the scrape, ms. */
const READ_WITHIN_MS = 1_000;

/**
 * A metric that is read when somebody scrapes, from whoever has offered to tell. A reading that fails or hangs is left out,
 * and the others are not kept waiting.
 */
export class Readings<L extends string = never> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
  readonly type: 'gauge' | 'counter';
  readonly #sources = new Set<ReadNow>();

  /** `counter`: of what somebody else counts and never takes back. */
  constructor({ name, help, labels = [] }: Described<L>, registry: Registry, type: 'gauge' | 'counter' = 'gauge') {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.type = type;
    register(this, registry);
  }

  /** Offers to tell. Returns what withdraws the offer. */
  from(read: ReadNow): () => void {
    this.#sources.add(read);
    return () => void this.#sources.delete(read);
  }

  async get(): Promise<object> {
    const all = await Promise.all([...this.#sources].map((read) => inTime(read)));
    const samples = all.flatMap((reads) =>
      [...reads].map(([value, ...values]) => ({
        metricName: this.name,
        labels: Object.fromEntries(this.labels.map((label, index) => [label, values[index] ?? ''])),
        value,
      })),
    );
    return printed(this, this.type, samples);
  }
}

async function inTime(read: ReadNow): Promise<Iterable<Read>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Iterable<Read>>((resolve) => (timer = setTimeout(() => resolve([]), READ_WITHIN_MS)));
  try {
    return await Promise.race([read(), late]);
  } catch {
    return []; // an alert on the missing series says more than a scrape that fails as a whole
  } finally {
    clearTimeout(timer);
  }
}
