/** One recorded case of the real Cinder. */
export interface Vector<Input = unknown, Expect = unknown> {
  readonly id: string;
  readonly input: Input;
  readonly expect: Expect;
}

/** Plays the cases of one kind through the product. */
export interface Replay {
  /** As in the file's `kind`. */
  readonly kind: string;
  /** The cases that came out differently. */
  readonly failing: (cases: readonly Vector[]) => Promise<readonly Failure[]>;
  /** The cases that are not played, or not to their end: to be counted and said with the result. @default none */
  readonly exceptions?: (cases: readonly Vector[]) => readonly Exception[];
}

/** Cases that are not played in full, all for one reason. */
export interface Exception {
  readonly what: 'left out' | 'played in part';
  readonly why: string;
  readonly ids: readonly string[];
}

export interface Failure {
  readonly id: string;
  /** What was expected and what came. */
  readonly why: string;
}

/**
 * A kind whose cases are functions of their input: `run` answers what is expected, or throws where Cinder raises. Each
 * file's README says what its inputs look like.
 */
export function replay(kind: string, run: (input: never) => unknown): Replay {
  return {
    kind,
    failing: (cases) => Promise.resolve(cases.flatMap((one) => compared(one, () => run(one.input as never)))),
  };
}

function compared({ id, expect }: Vector, run: () => unknown): readonly Failure[] {
  const came = outcome(run);
  return same(came, expect) ? [] : [{ id, why: `expected ${shown(expect)}, came ${shown(came)}` }];
}

/** What a function answered, or that it raised. */
export type Outcome<T> = T | { readonly error: string };

/** The answer of `run`, or `{error}` where it throws, by the name that Cinder's exception would have. */
export function outcome<T>(run: () => T): Outcome<T> {
  try {
    return run();
  } catch (error) {
    return { error: error instanceof Error ? error.name : String(error) };
  }
}

/** Equality of recorded and computed: numbers to 1e-9 relative, errors by there being one. */
export function same(came: unknown, expected: unknown): boolean {
  if (isError(expected) || isError(came)) return isError(expected) && isError(came);
  if (typeof came === 'number' && typeof expected === 'number') return isClose(came, expected);
  if (typeof came === 'number' && typeof expected === 'string') return WORDS.get(expected) === String(came);
  if (Array.isArray(came) && Array.isArray(expected)) {
    return came.length === expected.length && came.every((item, index) => same(item, expected[index]));
  }
  if (isRecord(came) && isRecord(expected)) {
    const keys = Object.keys(expected);
    return (
      Object.keys(came).length === keys.length && keys.every((key) => key in came && same(came[key], expected[key]))
    );
  }
  return came === expected;
}

/** How the files write what JSON has no number for. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['nan', 'NaN'],
  ['inf', 'Infinity'],
  ['-inf', '-Infinity'],
]);

function isClose(came: number, expected: number): boolean {
  return came === expected || Math.abs(came - expected) <= 1e-9 * Math.max(Math.abs(came), Math.abs(expected));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isError(value: unknown): boolean {
  return isRecord(value) && typeof value['error'] === 'string';
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 600);
}
