import { redact } from '../../config/show.js';
import { loadFor, withConfigOptions } from '../configured.js';
import type { AddTo } from '../context.js';
import { outputOf } from '../globals.js';
import { examples } from '../help.js';
import { list } from '../output.js';

const COLUMNS = ['Option', 'Value', 'Source'] as const;

/** Adds `config show`. */
export const addConfigCommands: AddTo = (config, { parts, print }) => {
  const command = withConfigOptions(
    config.command('show').description('Print every option and where its value came from, secrets masked'),
  );
  command.addHelpText('after', examples('config show', ['config show -f json', 'for programs'])).action(async () => {
    const rows = redact(loadFor(command, parts)).map(({ name, value, source }) => ({
      Option: name,
      Value: value,
      Source: source,
    }));
    print(await list(rows, COLUMNS, outputOf(command)));
  });
};
