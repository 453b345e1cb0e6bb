import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { findProgram, run } from './run.mjs';

/** Part of every system; a second one beside the system's own loader would not work. */
const NEVER_UNPACKED = /^(libc6|libc-bin|libgcc-s1|gcc-\d+-base|base-files|dpkg|apt|init-system-helpers)$/;

/**
 * Downloads packages of this machine's Debian (or Ubuntu) with those they need and that are not installed, and unpacks
 * them into `folder`, which appears whole or not at all. Nothing is installed: no root, no service, no file elsewhere.
 * @param {readonly string[]} packages
 * @param {string} folder
 * @param {{ env: NodeJS.ProcessEnv, say: (line: string) => void, alone?: boolean }} options alone: without those they
 *   need, for programs that need nothing
 */
export async function unpackPackages(packages, folder, { env, say, alone = false }) {
  for (const tool of ['apt-get', 'dpkg-deb']) {
    if (findProgram(tool, env.PATH) === undefined) throw new Error(`${tool} is not on the PATH`);
  }
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    await download(packages, work, { env, say, alone });
    const root = join(work, 'root');
    mkdirSync(root);
    for (const file of readdirSync(work).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg-deb', ['-x', join(work, file), root], { env });
    }
    publish(root, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * `LD_LIBRARY_PATH` for programs below an unpacked folder.
 * @param {string} folder
 * @returns {string}
 */
export function libraryPath(folder) {
  return ['lib', 'usr/lib']
    .flatMap((lib) => subfolders(join(folder, lib)))
    .filter((lib) => readdirSync(lib).some((name) => name.includes('.so')))
    .join(':');
}

/** @param {string} folder */
function subfolders(folder) {
  try {
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [folder, ...names.map(({ name }) => join(folder, name))];
  } catch {
    return [];
  }
}

/** With the machine's package lists where it has them, else (a fresh image) with lists of our own. */
async function download(packages, work, { env, say, alone }) {
  try {
    await downloadWith([], packages, work, { env, alone });
  } catch {
    say('reading the lists of packages (apt-get update, into our own folder)');
    const lists = ownLists(work);
    await run('apt-get', [...lists, 'update', '-qq'], { env });
    await downloadWith(lists, packages, work, { env, alone });
  }
}

async function downloadWith(options, packages, cwd, { env, alone }) {
  const needed = alone ? [] : await neededBy(packages, options, env);
  const all = [...new Set([...packages, ...needed])];
  await run('apt-get', [...options, '-o', 'APT::Sandbox::User=root', 'download', '-qq', ...all], { cwd, env });
}

async function neededBy(packages, options, env) {
  const install = [...options, 'install', '--simulate', '-qq', '--no-install-recommends', ...packages];
  return (await run('apt-get', install, { env }))
    .split('\n')
    .map((line) => /^Inst (\S+)/.exec(line)?.[1])
    .filter((name) => name !== undefined && !NEVER_UNPACKED.test(name));
}

function ownLists(work) {
  const lists = join(work, 'lists');
  const cache = join(work, 'cache');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  mkdirSync(join(cache, 'archives', 'partial'), { recursive: true });
  return ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`, '-o', 'APT::Sandbox::User=root'];
}

/** Another process may have been first; its folder is as good as ours. */
function publish(root, folder) {
  try {
    renameSync(root, folder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  }
}
