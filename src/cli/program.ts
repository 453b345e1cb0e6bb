import { Command, CommanderError } from 'commander';

import { Fault } from '../errors/fault.js';
import type { CommandContext, Group } from './context.js';
import { addGlobals, configFileOf } from './globals.js';
import { examples } from './help.js';
import { CommandError, UsageError, type CliParts } from './parts.js';
import { packageVersion } from './version.js';

const GROUPS: readonly Group[] = [
  {
    name: 'serve',
    about: 'Run services, until SIGTERM or SIGINT',
    calls: false,
    load: async () => (await import('./commands/serve.js')).addServeCommand,
  },
  {
    name: 'volume',
    about: 'Volumes of a project, and their types',
    calls: true,
    load: async () => (await import('./commands/volume.js')).addVolumeCommands,
  },
  {
    name: 'message',
    about: 'What went wrong after a request had been accepted',
    calls: true,
    load: async () => (await import('./commands/message.js')).addMessageCommands,
  },
  {
    name: 'quota',
    about: 'What a project may use, and what it uses',
    calls: true,
    load: async () => (await import('./commands/quota.js')).addQuotaCommands,
  },
  {
    name: 'service',
    about: 'The scheduler and volume services',
    calls: true,
    load: async () => (await import('./commands/service.js')).addServiceCommands,
  },
  {
    name: 'log',
    about: 'The logs of the services',
    calls: true,
    load: async () => (await import('./commands/log-level.js')).addLogCommands,
  },
  {
    name: 'pool',
    about: 'The storage pools',
    calls: true,
    load: async () => (await import('./commands/pool.js')).addPoolCommands,
  },
  {
    name: 'availability',
    about: 'Availability zones',
    calls: true,
    load: async () => (await import('./commands/availability-zone.js')).addAvailabilityCommands,
  },
  {
    name: 'doctor',
    about: 'Prove that nothing is stuck, and mend what is (administrators)',
    calls: true,
    load: async () => (await import('./commands/doctor.js')).addDoctorCommand,
  },
  {
    name: 'db',
    about: 'The database of the records',
    calls: false,
    load: async () => (await import('./commands/db.js')).addDatabaseCommands,
  },
  {
    name: 'upgrade',
    about: 'From one release to the next',
    calls: false,
    load: async () => (await import('./commands/upgrade.js')).addUpgradeCommands,
  },
  {
    name: 'config',
    about: 'The configuration',
    calls: false,
    load: async () => (await import('./commands/config.js')).addConfigCommands,
  },
  {
    name: 'token',
    about: 'Tokens of auth_strategy tokens',
    calls: false,
    load: async () => (await import('./commands/token.js')).addTokenCommands,
  },
  {
    name: 'completion',
    about: 'Print a script that lets a shell complete these commands',
    calls: false,
    load: async () => (await import('./commands/completion.js')).addCompletionCommand,
  },
];

const EXIT_CODES = `
Exit codes: 0 it was done; 1 it was not, or not all of it; 2 the command line was not understood; 130 and 143 it was
interrupted, by Ctrl-C or SIGTERM.`;

/**
 * Runs a command line and answers the exit code: 0, 1 when the command failed, 2 when it was not understood, 130 after Ctrl-C,
 * 143 after SIGTERM.
 */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<number> {
  try {
    const program = await commandTree(parts, ({ name }) => argv.includes(name));
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    // commander has said what is wrong, or printed the help
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    parts.stderr.write(`${wordsOf(error)}\n`);
    if (error instanceof CommandError) return error.exitCode;
    return error instanceof UsageError ? 2 : 1;
  }
}

/** An operator who starts a service is told what callers of the API are not: why the database cannot be used. */
function wordsOf(error: unknown): string {
  if (Fault.is(error, 'DatabaseUnavailable')) return `The database cannot be used: ${error.facts.reason}.`;
  return error instanceof Error ? error.message : String(error);
}

/** The command line: all groups by name, with the commands of those that are wanted. */
export async function commandTree(parts: CliParts, isWanted: (group: Group) => boolean): Promise<Command> {
  const root = new Command('cinder-grpc')
    .description("A block-storage control plane: OpenStack Cinder's versioned RPC on gRPC")
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help; also after a command')
    .addHelpText(
      'after',
      `${examples(
        ['serve', 'API, scheduler and volume service in one process'],
        ['--project demo volume create --size 1 --wait first', 'a volume, and wait until it can be used'],
        ['--project demo volume list -f json -c ID -c Status', 'for programs'],
        ['--project demo volume delete --wait first', 'gone'],
        ['config show', 'every option, its value and where that came from'],
      )}\n${EXIT_CODES}`,
    )
    .helpCommand('help [command]', 'print help for a command')
    // defaults are said in the descriptions, in words
    .configureHelp({ optionDescription: ({ description }) => description })
    .showHelpAfterError('(--help shows what there is)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void parts.stdout.write(text),
      writeErr: (text) => void parts.stderr.write(text),
    });
  addGlobals(root, { caller: true, hidden: false });

  const context: CommandContext = {
    parts,
    print: (text) => void parts.stdout.write(text),
    apiListen: (command) => apiListen(command, parts),
    tree: () => commandTree(parts, () => true),
  };
  for (const group of GROUPS) {
    const command = root.command(group.name).description(group.about);
    if (!isWanted(group)) continue;
    (await group.load())(command, context);
    addGlobalsBelow(command, group.calls);
  }
  return root;
}

function addGlobalsBelow(command: Command, caller: boolean): void {
  const isLeaf = command.commands.length === 0;
  addGlobals(command, { caller, hidden: !isLeaf });
  for (const each of command.commands) addGlobalsBelow(each, caller);
}

/** The configuration is read, and its code loaded, only by those who name no API. */
async function apiListen(command: Command, parts: CliParts): Promise<string> {
  const file = configFileOf(command);
  const { loadConfig } = await import('../config/load.js');
  return loadConfig({ ...parts, flags: file === undefined ? {} : { config: file } }).config.apiListen;
}
