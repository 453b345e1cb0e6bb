import type { Command } from 'commander';

import type { CliParts } from './parts.js';

/** What the files of the commands work with. */
export interface CommandContext {
  readonly parts: CliParts;
  /** Writes to stdout. */
  readonly print: (text: string) => void;
  /** Where the API listens by the configuration. Throws ConfigError. */
  readonly apiListen: (command: Command) => Promise<string>;
  /** The whole command line, with every group's commands. */
  readonly tree: () => Promise<Command>;
}

/** A group of commands, or one command. Its file is loaded when the command line names it, and for help about everything. */
export interface Group {
  readonly name: string;
  readonly about: string;
  /** Whether its commands call the API: then they take whom to call and as whom. */
  readonly calls: boolean;
  readonly load: () => Promise<AddTo>;
}

/** Adds a group's commands to it. */
export type AddTo = (group: Command, context: CommandContext) => void;
