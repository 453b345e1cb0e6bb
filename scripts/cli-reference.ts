// usage: npm run gen:cli    writes docs/cli.md from the command line

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { format } from 'prettier';

import { ROOT } from '#scripts/prepare.mjs';
import { GLOBAL_HEADING } from '#src/cli/globals.js';
import type { CliParts } from '#src/cli/parts.js';
import { commandTree } from '#src/cli/program.js';

/** The page. */
export const FILE = join(ROOT, 'docs/cli.md');

/** The page as it should be, in Markdown. */
export async function cliReference(): Promise<string> {
  const nowhere = { write: () => true };
  // commands that are only described work with nothing else
  const parts = { environment: {}, stdout: nowhere, stderr: nowhere } as unknown as CliParts;
  const root = await commandTree(parts, () => true);
  return format(manual(root), { parser: 'markdown', printWidth: 160 });
}

/** Made from the commands as they are. */
function manual(root: Command): string {
  const groups = visible(root);
  return [
    '# Command line',
    'Made by `npm run gen:cli` from the commands; do not edit.',
    `${root.description()}. Verbs, options and columns are those of \`openstack volume …\` where it has them.`,
    [
      'A volume is named by its id or its name; a name that several have is refused with their ids. Results go to stdout, progress',
      'and errors to stderr. Times are UTC in ISO 8601, sizes GiB. What would steer a terminal is shown escaped, e.g. `\\u001b`.',
    ].join(' '),
    fence('text', textAfter(root)),
    '## Global options',
    'They may stand before the commands or after them; what stands later wins. Words in parentheses are variables of the environment.',
    optionTable(root, () => true),
    ...groups.flatMap((group) => sections(group, [])),
  ]
    .filter((block) => block !== '')
    .join('\n\n')
    .concat('\n');
}

function sections(command: Command, above: readonly string[]): string[] {
  const names = [...above, command.name()];
  const below = visible(command);
  const title = `${above.length === 0 ? '##' : '###'} ${names.join(' ')}`;
  if (below.length > 0) {
    return [title, `${command.description()}.`, ...below.flatMap((each) => sections(each, names))];
  }
  const usage = command.createHelp().commandUsage(command);
  return [
    title,
    `${command.description()}.`,
    fence('text', [usage, ...argumentLines(command)].join('\n')),
    configured(command)
      ? 'Takes every option of the configuration, `quota_volumes` as `--quota-volumes`: see [config.md](config.md).'
      : optionTable(command, (heading) => heading !== GLOBAL_HEADING),
    fence('text', textAfter(command)),
  ];
}

function visible(command: Command): readonly Command[] {
  const help = command.createHelp();
  return help.visibleCommands(command).filter((each) => each.name() !== 'help');
}

function argumentLines(command: Command): readonly string[] {
  const help = command.createHelp();
  return help
    .visibleArguments(command)
    .map((argument) => `  ${help.argumentTerm(argument).padEnd(12)} ${help.argumentDescription(argument)}`);
}

function optionTable(command: Command, isShown: (heading: string | undefined) => boolean): string {
  const help = command.createHelp();
  const rows = help
    .visibleOptions(command)
    .filter((option) => isShown(option.helpGroupHeading) && option.long !== '--help')
    .map((option) => `| \`${option.flags}\` | ${escaped(help.optionDescription(option))} |`);
  return rows.length === 0 ? '' : ['| option | |', '| --- | --- |', ...rows].join('\n');
}

function configured(command: Command): boolean {
  return command.options.some(({ helpGroupHeading }) => helpGroupHeading === 'Configuration:');
}

/** What the help says below the options: examples, remarks. */
function textAfter(command: Command): string {
  let help = '';
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (text) => void (help += text) });
  command.outputHelp();
  command.configureOutput(output);
  const at = help.indexOf('\nExamples:');
  return at === -1 ? '' : help.slice(at).trim();
}

function fence(language: string, text: string): string {
  return text === '' ? '' : `\`\`\`${language}\n${text}\n\`\`\``;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await cliReference());
