import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { dependenciesAreStale, fingerprint, isStale, remember, removeOrphans } from './freshness.mjs';
import { withLock } from './lock.mjs';
import { run } from './run.mjs';

/** The package's folder; commands work from any other. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const STAMPS = 'node_modules/.cache/cinder-grpc';
const LOCK_DEADLINE_MS = 20 * 60_000;

/**
 * Everything that has to be made before the product runs, in order. Each step knows by itself whether there is anything
 * to do. `npm ci` removes node_modules with all stamps, so new dependencies make everything else anew.
 */
const DEPENDENCIES = {
  name: 'installing dependencies (npm ci)',
  isStale: () => dependenciesAreStale(ROOT, `${STAMPS}/dependencies`),
  async make() {
    const print = fingerprint(ROOT, ['package-lock.json']);
    await npm(['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund']);
    remember({ root: ROOT, stamp: `${STAMPS}/dependencies` }, print);
  },
};

const GENERATED = step({
  name: 'generating code from proto/',
  stamp: `${STAMPS}/generated`,
  inputs: ['proto', 'third_party/proto', 'buf.yaml', 'buf.gen.yaml'],
  outputs: ['src/gen', 'dist/descriptors.binpb'],
  async make() {
    mkdirSync(join(ROOT, 'dist'), { recursive: true });
    await tool('@bufbuild/buf/bin/buf', ['generate']);
    await tool('@bufbuild/buf/bin/buf', [
      ...['build', '--as-file-descriptor-set', '--exclude-source-info', '-o', 'dist/descriptors.binpb'],
    ]);
  },
});

const COMPILED = step({
  name: 'compiling src/',
  stamp: `${STAMPS}/compiled`,
  inputs: ['src', 'tsconfig.json'],
  outputs: ['dist/cli/main.js'],
  make: () => compile('tsconfig.json'),
});

const COMPILED_TESTS = step({
  name: 'compiling test/, bench/, examples/ and scripts/',
  stamp: `${STAMPS}/compiled-tests`,
  inputs: ['src', 'test', 'bench', 'examples', 'scripts', 'tsconfig.json', 'tsconfig.dev.json'],
  outputs: ['build/test'],
  make: () => compile('tsconfig.dev.json'),
});

/** What `npm start` needs. */
export const TO_START = [DEPENDENCIES, GENERATED, COMPILED];
/** What `npm test` needs. */
export const TO_TEST = [DEPENDENCIES, GENERATED, COMPILED, COMPILED_TESTS];
/** What the editor and the compiler need. */
export const TO_COMPILE = [DEPENDENCIES, GENERATED];

/**
 * Brings what is missing and says in a line what it does; says nothing when all is there. Safe when two run at once.
 * Throws on a Node that is too old, and when a step fails.
 * @param {typeof TO_START} steps
 * @param {(line: string) => void} say
 */
export async function prepare(steps, say) {
  checkNode(process.versions.node);
  if (!steps.some((each) => each.isStale())) return;
  const work = async () => {
    for (const each of steps) {
      if (!each.isStale()) continue;
      say(each.name);
      await each.make();
    }
  };
  // not in node_modules, which a step removes
  await withLock(join(ROOT, 'build/.prepare.lock'), work, { deadlineMs: LOCK_DEADLINE_MS, say });
}

/**
 * Throws a sentence when Node is older than package.json's `engines` say.
 * @param {string} version
 */
export function checkNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`cinder-grpc needs Node 20.19 or newer; this is Node ${version} (${process.execPath}).`);
}

function step({ name, stamp, inputs, outputs, make }) {
  return {
    name,
    isStale: () => isStale({ root: ROOT, stamp, inputs, outputs }),
    async make() {
      const print = fingerprint(ROOT, inputs);
      await make();
      remember({ root: ROOT, stamp }, print);
    },
  };
}

/** The compiler's memory must not outlive its output: it would believe that everything is there. */
async function compile(project) {
  if (!existsSync(join(ROOT, 'dist/cli/main.js'))) rmSync(join(ROOT, 'tsconfig.tsbuildinfo'), { force: true });
  removeOrphans(join(ROOT, 'dist'), join(ROOT, 'src'));
  for (const folder of ['test', 'bench', 'examples', 'scripts'])
    removeOrphans(join(ROOT, 'build', folder), join(ROOT, folder));
  await tool('typescript/bin/tsc', ['-b', project]);
}

/** Runs a dependency's program with this Node, whatever the PATH says. */
function tool(script, args) {
  return run(process.execPath, [join(ROOT, 'node_modules', script), ...args], { cwd: ROOT });
}

function npm(args) {
  const { npm_execpath: script } = process.env;
  const [command, ...first] = script?.endsWith('.js') ? [process.execPath, script] : ['npm'];
  return run(command, [...first, ...args], { cwd: ROOT });
}
