import { REPLAYS } from './kinds.js';
import { vectorFiles } from './files.js';

/** `npm run vectors -- DIR`: replays every file of recorded cases in the folder. */
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: npm run vectors -- DIR');
  process.exit(2);
}

let isClean = true;
for (const { path, kind, cases } of await vectorFiles(folder)) {
  const replay = REPLAYS.get(kind);
  if (replay === undefined) {
    console.log(`${kind}: unknown kind, in ${path}`);
    isClean = false;
    continue;
  }
  const failures = await replay.failing(cases);
  const exceptions = (replay.exceptions?.(cases) ?? []).filter(({ ids }) => ids.length > 0);
  const leftOut = exceptions.filter(({ what }) => what === 'left out').flatMap(({ ids }) => ids).length;
  const counts = `${cases.length - leftOut - failures.length} passed, ${failures.length} failed`;
  console.log(`${kind}: ${counts}${leftOut > 0 ? `, ${leftOut} left out` : ''}`);
  for (const { what, why, ids } of exceptions) console.log(`  ${ids.length} ${what}, ${why}: ${ids.join(' ')}`);
  for (const { id, why } of failures) console.log(`  ${id}: ${why}`);
  isClean &&= failures.length === 0;
}
process.exitCode = isClean ? 0 : 1;
