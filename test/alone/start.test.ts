import test from 'ava';
import { Installation } from '../support/installation.js';
import { folderFor } from '../support/folder.js';

const START_MS = 3_000;

test('it answers within three seconds of its start', async (t) => {
  const installation = new Installation(t, await folderFor(t));
  const tookMs: number[] = [];
  for (const what of ['on an empty folder', 'on its own records']) {
    const begun = performance.now();
    await installation.start();
    t.deepEqual(await installation.client().list(), []);
    tookMs.push(performance.now() - begun);
    t.log(`${what}: ${Math.round(tookMs.at(-1) ?? 0)} ms`);
    t.is(await installation.stop(), 0);
  }
  // one of two may have met a busy machine
  t.true(Math.min(...tookMs) < START_MS);
});
