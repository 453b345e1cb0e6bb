import type { AddTo } from '../context.js';
import { loadFor, withConfigOptions } from '../configured.js';
import { examples } from '../help.js';

/** Adds `db migrate`. */
export const addDatabaseCommands: AddTo = (database, { parts, print }) => {
  const command = withConfigOptions(
    database.command('migrate').description("Bring the database to this program's schema; safe to repeat"),
  );
  command.addHelpText('after', examples('db migrate --database-url postgres://cinder@db/cinder')).action(async () => {
    const { from, to } = await parts.migrate(loadFor(command, parts).config.databaseUrl);
    print(from === to ? `The schema is at version ${to} already.\n` : `Migrated from version ${from} to ${to}.\n`);
  });
};
