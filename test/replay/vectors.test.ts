import { fileURLToPath } from 'node:url';
import test from 'ava';
import { vectorFiles } from './files.js';
import { REPLAYS } from './kinds.js';

const files = await vectorFiles(fileURLToPath(new URL('../../../test/vectors', import.meta.url)));

for (const { path, kind, cases } of files) {
  test(`${kind}: the product decides as the real Cinder did`, async (t) => {
    const replay = REPLAYS.get(kind);
    t.truthy(replay, `nobody plays ${path}`);
    t.true(cases.length > 0);
    t.deepEqual(await replay?.failing(cases), []);
    for (const { what, why, ids } of replay?.exceptions?.(cases) ?? []) t.log(`${ids.length} ${what}, ${why}`);
  });
}
