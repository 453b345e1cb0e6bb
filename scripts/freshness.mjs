import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * A hash of files and folders: of every name and every byte in them. What does not exist counts too.
 * @param {string} root
 * @param {readonly string[]} paths below `root`
 * @returns {string}
 */
export function fingerprint(root, paths) {
  const hash = createHash('sha256');
  for (const file of paths.flatMap((path) => filesBelow(join(root, path)))) {
    hash.update(`${relative(root, file)}\0`);
    if (existsSync(file)) hash.update(readFileSync(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/**
 * Every file below a folder, sorted; a path that is no folder is answered as it is.
 * @param {string} path
 * @returns {string[]}
 */
export function filesBelow(path) {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]));
}

/**
 * Whether a step has to be done: its inputs differ from those of the last time, or an output is gone.
 * @param {{ root: string, stamp: string, inputs: readonly string[], outputs: readonly string[] }} step
 * @returns {boolean}
 */
export function isStale({ root, stamp, inputs, outputs }) {
  if (!existsSync(join(root, stamp)) || outputs.some((output) => !existsSync(join(root, output)))) return true;
  return readFileSync(join(root, stamp), 'utf8') !== fingerprint(root, inputs);
}

/**
 * Remembers the inputs of a step. `print` is taken before the step, so that what changes meanwhile makes it stale again.
 * @param {{ root: string, stamp: string }} step
 * @param {string} print
 */
export function remember({ root, stamp }, print) {
  mkdirSync(dirname(join(root, stamp)), { recursive: true });
  writeFileSync(join(root, stamp), print);
}

/**
 * Whether node_modules is not what package-lock.json asks for: it is missing, or older than a lock with other content.
 * @param {string} root
 * @param {string} stamp file with the fingerprint of the lock last installed
 * @returns {boolean}
 */
export function dependenciesAreStale(root, stamp) {
  // npm writes this file last, so a broken installation has none
  const installed = statSync(join(root, 'node_modules/.package-lock.json'), { throwIfNoEntry: false });
  if (installed === undefined) return true;
  if (statSync(join(root, 'package-lock.json')).mtimeMs <= installed.mtimeMs) return false;
  return isStale({ root, stamp, inputs: ['package-lock.json'], outputs: [] });
}

/**
 * Removes what was compiled from a source that is gone: AVA would still run such a test, and Node such an import.
 * @param {string} compiled folder
 * @param {string} sources folder
 */
export function removeOrphans(compiled, sources) {
  if (!existsSync(compiled)) return;
  for (const file of filesBelow(compiled)) {
    const source = join(sources, relative(compiled, file)).replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts');
    if (source.endsWith('.ts') && !existsSync(source)) rmSync(file);
  }
}
