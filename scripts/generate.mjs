// usage: npm run gen    makes src/gen and dist/descriptors.binpb from proto/

import { prepare, TO_COMPILE } from './prepare.mjs';

await prepare(TO_COMPILE, (line) => console.error(line));
