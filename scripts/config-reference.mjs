// usage: node scripts/config-reference.mjs    writes docs/config.md from the built schema

import { writeFileSync } from 'node:fs';

const { configReference } = await import(new URL('../dist/config/reference.js', import.meta.url));

writeFileSync(new URL('../docs/config.md', import.meta.url), configReference());
