import test from 'ava';
import { parseExtraSpec } from '#src/scheduler/filters/extra-spec.js';
import type { Value } from '#src/scheduler/python/value.js';

const matches = test.macro({
  exec: (t, value: Value, spec: string, expected: boolean) => t.is(parseExtraSpec(spec)(value), expected),
  title: (_, value: Value, spec: string, expected: boolean) =>
    `${JSON.stringify(value)} ${expected ? 'meets' : 'does not meet'} '${spec}'`,
});
test(matches, 10, '= 5', true);
test(matches, 'constructor', 'constructor', true);
test(matches, 5, 'constructor 5', false);
test(matches, '١٢', '== 12', true);
test(matches, '\u{1d7d8}', '== 0', true);
test(matches, '\u{10000}', 's> \uffff', true);
