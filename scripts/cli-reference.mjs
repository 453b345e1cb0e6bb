// usage: node scripts/cli-reference.mjs    writes docs/cli.md from the built command line

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { format } from 'prettier';

/** The page. */
export const FILE = new URL('../docs/cli.md', import.meta.url);

/**
 * The page as it should be.
 * @returns {Promise<string>} Markdown
 */
export async function cliReference() {
  const { commandTree } = await import('../dist/cli/program.js');
  const { manual } = await import('../dist/cli/manual.js');
  const nowhere = { write: () => true };
  const root = await commandTree({ environment: {}, stdout: nowhere, stderr: nowhere }, () => true);
  return format(manual(root), { parser: 'markdown', printWidth: 160 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await cliReference());
