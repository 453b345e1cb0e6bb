import { Command, CommanderError, Option } from 'commander';

import { loadConfig, type LoadedConfig } from '../config/load.js';
import type { Option as ConfigOption } from '../config/option.js';
import { SCHEMA } from '../config/schema.js';
import { redact } from '../config/show.js';
import { FORMATS, list, type OutputOptions } from './output.js';
import { UsageError, type CliParts } from './parts.js';
import { addServeCommand } from './serve.js';
import { packageVersion } from './version.js';
import { addVolumeCommands } from './volume.js';

const EXAMPLES = `
Examples:
  cinder-grpc serve                                           API, scheduler and volume service in one process
  cinder-grpc --project demo volume create --size 1 --wait first
  cinder-grpc --project demo volume list -f json -c ID -c Status
  cinder-grpc --project demo volume delete --wait 7a9c0c8e-0f6b-4d5c-9a31-6f1d6ba1c0f1
  cinder-grpc config show                                     every option, its value and where that came from`;

const CONFIG_OPTIONS: readonly ConfigOption<unknown>[] = Object.values(SCHEMA);

/** Runs a command line and answers the exit code: 0, 1 when the command failed, 2 when it was not understood. */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<number> {
  try {
    await program(parts).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    // commander has said what is wrong, or printed the help
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    parts.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function program(parts: CliParts): Command {
  const root = new Command('cinder-grpc')
    .description("A block-storage control plane: OpenStack Cinder's versioned RPC on gRPC")
    .version(packageVersion(), '--version')
    .option('--config <file>', 'configuration file (environment: CINDER_CONFIG)')
    .option('--api <address>', 'API to call, host:port (environment: CINDER_API; else api_listen)')
    .option('--project <id>', 'project (environment: CINDER_PROJECT_ID)')
    .option('--user <id>', 'user (environment: CINDER_USER_ID)')
    .option('--token <token>', 'token; better in the environment, where no process list shows it (CINDER_TOKEN)')
    .addOption(new Option('-f, --format <format>', 'how to print').choices(FORMATS).default('table'))
    .option(
      '-c, --columns <column>',
      'show this column (repeat for more)',
      (column, before: string[]) => [...before, column],
      [],
    )
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void parts.stdout.write(text),
      writeErr: (text) => void parts.stderr.write(text),
    });

  const load = (command?: Command): LoadedConfig => loadConfig({ ...parts, flags: flagsOf(root, command) });
  const apiAddress = (): string =>
    root.opts<{ api?: string }>().api ?? (parts.environment['CINDER_API'] || load().config.apiListen);

  addServeCommand(root, parts, withConfigOptions, load);
  addDatabaseCommands(root, parts, load);
  addConfigCommands(root, parts, load);
  addVolumeCommands(root, parts, apiAddress);
  return root;
}

function addDatabaseCommands(
  root: Command,
  { migrate, stdout }: CliParts,
  load: (command: Command) => LoadedConfig,
): void {
  const database = root.command('db').description('The database of the records');
  const command = withConfigOptions(
    database.command('migrate').description("Bring the database to this program's schema"),
  );
  command.action(async () => {
    const { from, to } = await migrate(load(command).config.databaseUrl);
    stdout.write(
      from === to ? `The schema is at version ${to} already.\n` : `Migrated from version ${from} to ${to}.\n`,
    );
  });
}

function addConfigCommands(root: Command, { stdout }: CliParts, load: (command: Command) => LoadedConfig): void {
  const config = root.command('config').description('The configuration');
  const command = withConfigOptions(
    config.command('show').description('Print every option and where its value came from'),
  );
  command.action(() => {
    const rows = redact(load(command)).map(({ name, value, source }) => ({
      Option: name,
      Value: value,
      Source: source,
    }));
    stdout.write(list(rows, ['Option', 'Value', 'Source'], root.opts<OutputOptions>()));
  });
}

/** Adds every option of the configuration: `quota_volumes` as `--quota-volumes`. */
function withConfigOptions(command: Command): Command {
  command.optionsGroup('Configuration:');
  for (const { name, domain, defaultText, help } of CONFIG_OPTIONS) {
    command.option(`--${name.replaceAll('_', '-')} <value>`, `${help} [${domain}; default: ${defaultText}]`);
  }
  return command;
}

function flagsOf(root: Command, command: Command | undefined): Record<string, string> {
  const given = new Map([...optionsOf(root), ...(command ? optionsOf(command) : [])]);
  const names = ['config', ...CONFIG_OPTIONS.map(({ name }) => name)];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given.get(name.replaceAll('_', '-'));
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

/** What was given to a command, by the options' long names. */
function optionsOf(command: Command): [string, unknown][] {
  return command.options.map((option) => [option.name(), command.getOptionValue(option.attributeName())]);
}
