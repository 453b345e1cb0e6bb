import test from 'ava';
import { compatible, parseVersion } from '#src/rpc/version-number.js';

const understands = test.macro({
  exec: (t, implemented: string | undefined, requested: string | undefined, expected: boolean) => {
    const version = (text: string | undefined): ReturnType<typeof parseVersion> =>
      text === undefined ? undefined : parseVersion(text);
    t.is(compatible(version(implemented), version(requested)), expected);
  },
  title: (_, implemented: string = 'no version', requested: string = 'no version', expected: boolean = false) =>
    `${implemented} ${expected ? 'understands' : 'does not understand'} ${requested}`,
});

test(understands, undefined, '9.9', true);
test(understands, undefined, undefined, true);
test(understands, '3.0', undefined, false);
test(understands, '3.10', '3.9', true);
test(understands, '3.9', '3.10', false);
test(understands, '3.10', '3.10', true);
test(understands, '4.0', '3.0', false);
test(understands, '3.9', '4.0', false);
test(understands, '3.9.1', '3.9.1', true);
test(understands, '3.9.1', '3.9.2', false);
test(understands, '3.9', '3.9.1', false);
test(understands, '3.10', '3.9.7', true);

test('what is no version is not taken for one', (t) => {
  for (const text of ['', '3', '3.', '.3', 'v3.1', '3.1.2.3', '3.-1', '3.1 ', '1e3.1', '3.99999999999999999999']) {
    t.is(parseVersion(text), undefined, text);
  }
});
