import { Option } from 'commander';

import { SETTLED } from '../../objects/volume-status.js';
import { type Api, onApi } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { volumeIdOf } from '../lookup.js';
import { statusWord } from '../volume-status.js';

interface ResetOptions {
  readonly state?: string;
  readonly attachStatus?: string;
  readonly migrationStatus?: string;
  readonly reason: string;
}

const FIELDS = {
  status: '--state',
  attach_status: '--attach-status',
  migration_status: '--migration-status',
  reason: '--reason',
};

/** Adds `volume reset-state`. */
export const addVolumeReset: AddTo = (volume, context) => {
  volume
    .command('reset-state')
    .description('Correct by hand the state of a volume that is stuck (administrators)')
    .argument('<volume>', 'its name or id')
    .addOption(new Option('--state <state>', 'what it is').choices(SETTLED))
    .addOption(new Option('--attach-status <status>', 'whether it is attached').choices(['attached', 'detached']))
    .option('--migration-status <status>', 'how far a migration is; none: it is not migrating')
    .requiredOption('--reason <words>', 'why; its owner sees it')
    .addHelpText(
      'after',
      `${examples('volume reset-state --state error --reason "its backend burned down" first')}\n\nNo backend is asked: look there first. With --state, work that is under way on the volume is disowned.`,
    )
    .action(onApi(context, resetState, { fields: FIELDS, changes: true }));
};

async function resetState(api: Api, nameOrId: string, options: ResetOptions): Promise<void> {
  const { state, attachStatus, migrationStatus, reason } = options;
  const volumeId = await volumeIdOf(api, nameOrId);
  const { VolumeStatus } = await import('../../gen/cinder/api/v3/volumes.js');
  const status = Object.values(VolumeStatus).find((each) => statusWord(each) === state);
  await api.client.volumes.resetVolumeStatus({ volumeId, status, attachStatus, migrationStatus, reason }, api.call);
}
