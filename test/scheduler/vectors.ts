import { readFileSync } from 'node:fs';

/** One recorded case of the real Cinder. */
export interface Vector<Input, Expect> {
  readonly id: string;
  readonly input: Input;
  readonly expect: Expect;
}

/** The cases of one file of test/vectors/scheduler. */
export function vectors<Input, Expect>(name: string): readonly Vector<Input, Expect>[] {
  const file = new URL(`../../../test/vectors/scheduler/${name}.json`, import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly Vector<Input, Expect>[] };
  return cases;
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

/** The ids of the cases whose outcome differs, each with what was expected and what came. */
export function failing<Input, Expect>(
  cases: readonly Vector<Input, Expect>[],
  run: (input: Input) => unknown,
): readonly string[] {
  return cases.flatMap(({ id, input, expect }) => {
    const came = outcome(() => run(input));
    return same(came, expect) ? [] : [`${id}: expected ${shown(expect)}, came ${shown(came)}`];
  });
}

/** Equality of recorded and computed: numbers to 1e-9 relative, errors by there being one. */
export function same(came: unknown, expected: unknown): boolean {
  if (isError(expected) || isError(came)) return isError(expected) && isError(came);
  if (typeof came === 'number' && typeof expected === 'number') return isClose(came, expected);
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
