import type { ExecutionContext } from 'ava';

/** What outlives a call: a test, a file of tests, or a program that is no test. */
export type Lifetime = Pick<ExecutionContext, 'teardown'>;
