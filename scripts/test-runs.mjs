import { join, relative, resolve } from 'node:path';

/** Where tests are that need the machine for themselves, compiled; see ava-alone.config.js. */
export const ALONE = 'build/test/alone/';

/**
 * The runs of AVA that the arguments of `npm test` ask for, in order. Tests that need the machine for themselves run after
 * the others, when they are named or when nothing is.
 * @param {readonly string[]} args files and options of AVA; files as in test/
 * @param {string} root the package's folder
 * @returns {{ config: string, args: string[] }[]} `config`: AVA's, a file of the package's folder
 */
export function testRuns(args, root) {
  const options = args.filter((each) => each.startsWith('-'));
  const others = args.filter((each) => !each.startsWith('-')).map((each) => compiledTest(each, root));
  const alone = others.filter((each) => each.startsWith(ALONE));
  const together = others.filter((each) => !each.startsWith(ALONE));
  return [
    ...(alone.length === 0 || together.length > 0
      ? [{ config: 'ava.config.js', args: [...options, ...together] }]
      : []),
    ...(alone.length > 0 || args.length === 0 ? [{ config: 'ava-alone.config.js', args: [...options, ...alone] }] : []),
  ];
}

/** test/quota/quota.test.ts → build/test/quota/quota.test.js; anything else is AVA's business. */
function compiledTest(argument, root) {
  const path = relative(root, resolve(argument));
  return /^test\/.*\.test\.ts$/.test(path) ? join('build', path.replace(/\.ts$/, '.js')) : argument;
}
