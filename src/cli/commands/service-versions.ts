import type { VersionCap, VersionHolder } from '../../gen/cinder/api/v3/services.js';
import type { Duration } from '../../gen/google/protobuf/duration.js';
import { onApi, type Api } from '../api.js';
import type { CommandContext } from '../context.js';
import { examples } from '../help.js';
import type { Row } from '../output.js';
import type { Command } from 'commander';

const COLUMNS = ['Binary', 'RPC Cap', 'Object Cap', 'Held By', 'RPC Version', 'Object Version', 'Silent', 'Counts For'];
const MORE_COLUMNS = [...COLUMNS, 'Decides', 'Own RPC Version', 'Own Object Version'];
const LOST_COLUMNS = ['Binary', 'Lost', 'Since', 'How'];

/** Adds `service versions`. */
export function addServiceVersions(service: Command, context: CommandContext): void {
  service
    .command('versions')
    .description(
      'Show which versions are sent to each binary, who holds them down, and what is lost by it (administrators)',
    )
    .option('--service <binary>', 'only of this binary, e.g. cinder-volume', '')
    .option('--lost', 'what cannot be said for it: methods and fields', false)
    .addHelpText(
      'after',
      `${examples(
        ['--roles admin service versions', 'who is the oldest'],
        ['--roles admin service versions --lost', 'what the others go without'],
      )}\n\nIt is what the API process that answers sends, at this moment. A service that is down counts until it was silent for
service_version_ttl; one that was stopped in good order does not count.`,
    )
    .action(onApi(context, versions, { fields: { binary: '--service' } }));
}

async function versions(
  api: Api,
  { service, lost }: { readonly service: string; readonly lost: boolean },
): Promise<void> {
  const { caps } = await api.client.services.explainVersionCap({ binary: service }, api.call);
  if (lost) return api.printList(caps.flatMap(lostRows), LOST_COLUMNS);
  await api.printList(caps.flatMap(capRows), COLUMNS, MORE_COLUMNS);
}

/** One row a holder; one for a cap that nobody holds down. */
function capRows(cap: VersionCap): readonly Row[] {
  const same = {
    Binary: cap.binary,
    'RPC Cap': cap.rpcVersion,
    'Object Cap': cap.objectVersion,
    'Own RPC Version': cap.ownRpcVersion,
    'Own Object Version': cap.ownObjectVersion,
  };
  return cap.holders.length === 0 ? [same] : cap.holders.map((holder) => ({ ...same, ...holderRow(holder) }));
}

function holderRow(holder: VersionHolder): Row {
  return {
    'Held By': holder.kind.endsWith('PIN') ? 'rpc_pins' : holder.host,
    'RPC Version': asRecorded(holder.rpcVersion, holder),
    'Object Version': asRecorded(holder.objectVersion, holder),
    Silent: timeOf(holder.silent),
    'Counts For': timeOf(holder.countsFor),
    Decides: holder.decides,
  };
}

/** What is no version is shown in quotes: a blank or a word must be seen. */
function asRecorded(version: string, { unreadable }: VersionHolder): string {
  return unreadable ? JSON.stringify(version) : version;
}

function lostRows({ binary, losses }: VersionCap): readonly Row[] {
  return losses.map(({ kind, what, since, instead }) => ({
    Binary: binary,
    Lost: what,
    Since: since,
    How: instead === '' ? HOW[kind] : `sent as ${instead}`,
  }));
}

const HOW: Readonly<Record<string, string>> = {
  VERSION_LOSS_KIND_METHOD_REFUSED: 'refused: SERVICE_TOO_OLD',
  VERSION_LOSS_KIND_FIELD_DROPPED: 'left out',
  VERSION_LOSS_KIND_FIELD_REWORDED: 'said in the words of before',
  VERSION_LOSS_KIND_FIELD_REFUSED: 'refused where it is set: SERVICE_TOO_OLD',
};

function timeOf(duration: Duration | undefined): string | undefined {
  return duration && `${duration.seconds} s`;
}
