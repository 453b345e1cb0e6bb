import type { AddTo } from '../context.js';
import { loadFor, withConfigOptions } from '../configured.js';
import { outputOf } from '../globals.js';
import { examples } from '../help.js';
import { list } from '../output.js';
import { CommandError } from '../parts.js';

const COLUMNS = ['Check', 'Result', 'Details'] as const;

/** Adds `upgrade check`. Rule: cinder/cmd/status.py, `cinder-status upgrade check`. */
export const addUpgradeCommands: AddTo = (upgrade, { parts, print }) => {
  const command = withConfigOptions(
    upgrade
      .command('check')
      .description('Say whether an installation may be upgraded to this program, and in which order'),
  );
  command
    .addHelpText(
      'after',
      `${examples(
        [
          'upgrade check --database-url postgres://cinder@db/cinder',
          'with the new program, before anything is replaced',
        ],
        ['upgrade check -f json', 'for programs'],
      )}\n\nIt reads the database and changes nothing. A Warning does not keep an upgrade from beginning; a Failure does.
Exit codes: 0 an upgrade may begin; 1 it must not, or the database cannot be read.`,
    )
    .action(async () => {
      const { config } = loadFor(command, parts);
      const { checkUpgrade } = await import('../../main/upgrade.js');
      const { checks, order } = await checkUpgrade(config);
      const rows = [
        ...checks.map(({ check, result, details }) => ({ Check: check, Result: result, Details: details })),
        ...order.map((step, index) => ({ Check: 'Order', Result: `Step ${index + 1}`, Details: step })),
      ];
      print(await list(rows, COLUMNS, outputOf(command)));
      const failures = checks.filter(({ result }) => result === 'Failure').length;
      if (failures > 0) throw new CommandError(`An upgrade must not begin: ${failures} of the checks failed.`);
    });
};
