import type { Command } from 'commander';

import { loadConfig, type LoadedConfig } from '../config/load.js';
import type { Option } from '../config/option.js';
import { SCHEMA } from '../config/schema.js';
import { parse } from '../scheduler/evaluator/parse.js';
import { configFileOf } from './globals.js';
import type { CliParts } from './parts.js';

const OPTIONS: readonly Option<unknown>[] = Object.values(SCHEMA);

/** Adds every option of the configuration: `quota_volumes` as `--quota-volumes`. */
export function withConfigOptions(command: Command): Command {
  command.optionsGroup('Configuration:');
  for (const { name, domain, defaultText, help } of OPTIONS) {
    command.option(`--${flagName(name)} <value>`, `${help} [${domain}; default: ${defaultText}]`);
  }
  return command;
}

/** The configuration, with what the command line says of it. Throws ConfigError with everything that is wrong. */
export function loadFor(command: Command, parts: CliParts): LoadedConfig {
  const file = configFileOf(command);
  const flags = command.options.flatMap((option) => {
    const value: unknown = command.getOptionValue(option.attributeName());
    const name = OPTIONS.find((each) => flagName(each.name) === option.name())?.name;
    return name !== undefined && typeof value === 'string' ? [[name, value] as [string, string]] : [];
  });
  const given = { ...(file !== undefined && { config: file }), ...Object.fromEntries(flags) };
  return loadConfig({ ...parts, flags: given, parseFunction });
}

/** Refuses what no scheduler could evaluate, in words that follow the option's name. */
function parseFunction(text: string): void {
  try {
    parse(text);
  } catch (error) {
    throw new Error(`cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function flagName(name: string): string {
  return name.replaceAll('_', '-');
}
