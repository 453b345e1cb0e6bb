import test from 'ava';

import { checkNode } from '#scripts/prepare.mjs';

const isRefused = test.macro<[version: string, refused: boolean]>({
  exec: (t, version, refused) => {
    if (refused) t.throws(() => checkNode(version), { message: /needs Node 20\.19 or newer; this is Node / });
    else t.notThrows(() => checkNode(version));
  },
  title: (_, version, refused) => `Node ${version} is ${refused ? 'refused with a sentence' : 'accepted'}`,
});
test(isRefused, '18.20.4', true);
test(isRefused, '20.18.9', true);
test(isRefused, '20.19.0', false);
test(isRefused, '22.1.0', false);
test(isRefused, '24.0.0', false);
