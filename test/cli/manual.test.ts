import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import test from 'ava';
import type { Command } from 'commander';

import { commandTree } from '#src/cli/program.js';
import { cliReference, FILE } from '../../scripts/cli-reference.js';
import { cli, cliParts } from '../support/cli.js';
import { folderFor } from '../support/folder.js';
import { findTool } from '../support/process.js';

test('docs/cli.md says what the commands say: npm run gen:cli', async (t) => {
  t.is(readFileSync(FILE, 'utf8'), await cliReference());
});

test('every command has a description and examples, and its examples are commands', async (t) => {
  const { parts, stdout } = cliParts();
  const root = await commandTree(parts, () => true);
  const leaves = leavesOf(root);
  t.true(leaves.length > 30);

  for (const leaf of leaves) {
    leaf.outputHelp();
    const help = stdout();
    const examples = [...help.matchAll(/^ {2}(?:source <\()?cinder-grpc (.*)$/gm)].map(([, line = '']) => line);
    t.true(leaf.description().length > 0, pathOf(leaf));
    t.true(examples.length > 0, `${pathOf(leaf)} has no examples`);
    for (const example of examples) t.true(example.includes(pathOf(leaf)), `${example} is not ${pathOf(leaf)}`);
  }
});

test('help is there in every form and is no error', async (t) => {
  const forms = [
    ['volume', 'type', 'set', '--help'],
    ['volume', 'type', 'help', 'set'],
    ['volume', 'type', 'set', '-h'],
  ];
  const pages = await Promise.all(forms.map((form) => cli(form)));

  for (const { code, stdout } of pages) {
    t.is(code, 0);
    t.regex(stdout, /^Usage: cinder-grpc volume type set \[options\] <type>\n/);
  }
});

test('the help of a command names what may be said of the caller, and that of the services does not', async (t) => {
  const list = await cli(['volume', 'list', '--help']);
  const serve = await cli(['serve', '--help']);

  t.regex(list.stdout, /Global options:[^]*--token <token>/);
  t.notRegex(serve.stdout, /--token <token>/);
  t.regex(serve.stdout, /--config <file>/);
});

const BASH = findTool('bash');
const ifBash = BASH === undefined ? test.skip : test; // it is what completes

ifBash('bash completes commands and options', async (t) => {
  const { stdout: script } = await cli(['completion', 'bash']);
  const file = join(await folderFor(t), 'completion');
  writeFileSync(file, script);
  const complete = (...words: string[]): readonly string[] => {
    const quoted = ['cinder-grpc', ...words].map((word) => `'${word}'`).join(' ');
    const lines = `source "$0"; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _cinder_grpc; echo "\${COMPREPLY[@]}"`;
    return execFileSync(BASH ?? '', ['-c', lines, file], { encoding: 'utf8' })
      .trim()
      .split(' ');
  };

  t.deepEqual(complete('vol'), ['volume']);
  t.deepEqual(complete('volume', 's'), ['show', 'summary', 'set']);
  t.deepEqual(complete('--project', 'demo', 'volume', 'type', 'd'), ['delete', 'default']);
  t.deepEqual(complete('volume', 'list', '--created'), ['--created-since', '--created-before']);
  t.deepEqual(complete('quota', 'set', '--no'), ['']);
});

for (const [shell, check] of [
  ['zsh', ['-n']],
  ['fish', ['--no-execute']],
] as const) {
  const program = findTool(shell);
  test(`${shell} has a script of its own`, async (t) => {
    const { code, stdout: script } = await cli(['completion', shell]);
    t.is(code, 0);
    t.regex(
      script,
      shell === 'zsh' ? /bashcompinit/ : /complete -c cinder-grpc -n .* -f -a delete -d 'Delete volumes'/,
    );
    if (program === undefined) return;
    const file = join(await folderFor(t), 'completion');
    writeFileSync(file, script);
    t.notThrows(() => execFileSync(program, [...check, file], { stdio: 'pipe' }));
  });
}

function leavesOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** Names of the commands; those that are also found where OpenStack has them, by their plain place. */
function pathOf(command: Command): string {
  const names: string[] = [];
  for (let each = command; each.parent; each = each.parent) names.unshift(each.name());
  return names
    .join(' ')
    .replace(/^volume (?=service|message)/, '')
    .replace(/^volume backend /, '');
}
