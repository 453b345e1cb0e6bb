import { Option } from 'commander';

import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { volumeIdOf } from '../lookup.js';
import { forEach } from '../for-each.js';
import { CommandError } from '../parts.js';
import { printable } from '../printable.js';
import { seconds } from '../values.js';
import { waitFor } from '../wait.js';
import { statusWord } from '../volume-status.js';

interface DeleteOptions {
  readonly force?: boolean;
  readonly purge?: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

/** Adds `volume delete`. */
export const addVolumeDelete: AddTo = (volume, context) => {
  volume
    .command('delete')
    .description('Delete volumes')
    .argument('<volume...>', 'their names or ids')
    .addOption(new Option('--force', 'whatever the status (administrators)').conflicts('purge'))
    .option('--purge', 'delete the snapshots too')
    .option('--wait', 'wait until they are gone', false)
    .option('--timeout <seconds>', 'how long to wait [default: 300]', seconds, 300_000)
    .addHelpText(
      'after',
      `${examples(
        ['volume delete first', 'by name'],
        ['volume delete --wait 7a9c0c8e-0f6b-4d5c-9a31-6f1d6ba1c0f1 second', 'two, until both are gone'],
      )}\n\nAll of them are tried. When one cannot be deleted, the command says which and why, and its exit code is 1.`,
    )
    .action(onApi(context, deleteVolumes, { changes: true }));
};

async function deleteVolumes(api: Api, names: readonly string[], options: DeleteOptions): Promise<void> {
  const { force = false, purge = false, wait, timeout } = options;
  const deadline = Date.now() + timeout;
  const accepted = new Map<string, string>();
  const refused = new Map<string, unknown>();
  for (const name of names) {
    try {
      const volumeId = await volumeIdOf(api, name);
      await api.client.volumes.deleteVolume({ volumeId, force, cascade: purge }, api.call);
      accepted.set(name, volumeId);
    } catch (error) {
      if (api.call.signal.aborted) throw error;
      refused.set(name, error);
    }
  }
  await forEach(api, [...new Set(names)], 'volumes could not be deleted', async (name) => {
    const volumeId = accepted.get(name);
    if (volumeId === undefined) throw refused.get(name);
    if (wait) await waitUntilGone(api, volumeId, Math.max(1, deadline - Date.now()));
  });
}

async function waitUntilGone(api: Api, volumeId: string, timeoutMs: number): Promise<void> {
  const left = await waitFor(api, {
    volumeId,
    isDone: (now) => now === undefined || statusWord(now.status) !== 'deleting',
    timeoutMs,
    doing: 'being deleted',
    status: 'deleting',
  });
  if (left === undefined || statusWord(left.status) === 'deleted') return;
  const why = left.statusReason === undefined ? '.' : `: ${printable(left.statusReason)}`;
  throw new CommandError(`Volume ${volumeId} is in status ${statusWord(left.status)}${why}`);
}
