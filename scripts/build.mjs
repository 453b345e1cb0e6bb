// usage: npm run build    makes dist/ from proto/ and src/

import { prepare, TO_START } from './prepare.mjs';

await prepare(TO_START, (line) => console.error(line));
