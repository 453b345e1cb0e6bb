import { type Command } from 'commander';

import type { LoggingService } from '../../gen/cinder/api/v3/services.js';
import { type Api, onApi } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { CommandError } from '../parts.js';

const COLUMNS = ['Binary', 'Host', 'Prefix', 'Level'] as const;
const CHANGED_COLUMNS = ['Binary', 'Host'] as const;
const FIELDS = { binary: '--service', server: '--host', prefix: '--log-prefix', level: '<level>' };

/** Adds `log level list | set`. */
export const addLogCommands: AddTo = (log, context) => {
  const level = log.command('level').description('How much services write into their logs');

  whose(level.command('list'))
    .description('List the levels of all parts of the logs (administrators)')
    .addHelpText(
      'after',
      examples('--roles admin log level list', '--roles admin log level list --log-prefix cinder.volume'),
    )
    .action(onApi(context, listLevels, { fields: FIELDS }));

  whose(level.command('set'))
    .description(
      'Set the levels of parts of the logs, until a service ends or reads its configuration again (administrators)',
    )
    .argument('<level>', 'debug, info, warning or error')
    .addHelpText(
      'after',
      examples(
        [
          '--roles admin log level set debug --service cinder-volume --host node1',
          'all that the services of a host say',
        ],
        ['--roles admin log level set debug --log-prefix cinder.quota', 'one part, everywhere'],
      ),
    )
    .action(onApi(context, setLevels, { fields: FIELDS, changes: true }));
};

function whose(command: Command): Command {
  return command
    .option('--host <host>', 'only of services of this host or cluster, host or host@backend', '')
    .option('--service <binary>', 'only of cinder-api (the one that is asked), cinder-scheduler or cinder-volume', '')
    .option('--log-prefix <prefix>', 'only of parts whose names begin so, e.g. cinder.volume', '');
}

interface Whose {
  readonly host: string;
  readonly service: string;
  readonly logPrefix: string;
}

async function listLevels(api: Api, { host, service, logPrefix }: Whose): Promise<void> {
  const request = { binary: service, server: host, prefix: logPrefix };
  const { services, unreached } = await api.client.services.getLogLevels(request, api.call);
  const rows = services.flatMap(({ binary, host: of, levels }) =>
    [...levels].map(([Prefix, Level]) => ({ Binary: binary, Host: of, Prefix, Level })),
  );
  await api.printList(rows, COLUMNS);
  failFor(unreached);
}

async function setLevels(api: Api, level: string, { host, service, logPrefix }: Whose): Promise<void> {
  const request = { level, binary: service, server: host, prefix: logPrefix };
  const { changed, unreached } = await api.client.services.setLogLevels(request, api.call);
  await api.printList(
    changed.map(({ binary, host: of }) => ({ Binary: binary, Host: of })),
    CHANGED_COLUMNS,
  );
  failFor(unreached);
}

/** Who could not be asked is no reason to lose what the others said, and none to call it done. */
function failFor(unreached: readonly LoggingService[]): void {
  if (unreached.length === 0) return;
  const lines = unreached.map(({ binary, host, reason }) => `${binary} on ${host} could not be asked: ${reason ?? ''}`);
  throw new CommandError(lines.join('\n'));
}
