import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { addMessageCommands } from './message.js';
import { addPoolCommands } from './pool.js';
import { addServiceCommands } from './service.js';
import { addVolumeChanges } from './volume-change.js';
import { addVolumeCreate } from './volume-create.js';
import { addVolumeDelete } from './volume-delete.js';
import { addVolumeReads } from './volume-read.js';
import { addVolumeReset } from './volume-reset.js';
import { addVolumeTypeCommands } from './volume-type.js';

/** Adds `volume …`, with the verbs and columns of `openstack volume`. */
export const addVolumeCommands: AddTo = (volume, context) => {
  addVolumeCreate(volume, context);
  addVolumeReads(volume, context);
  addVolumeChanges(volume, context);
  addVolumeDelete(volume, context);
  addVolumeReset(volume, context);
  addVolumeTypeCommands(volume.command('type').description('Kinds of volumes'), context);
  volume.addHelpText(
    'after',
    examples(
      ['volume create --size 10 --wait first', 'make one and wait until it can be used'],
      ['volume list --status error', 'those that failed'],
      ['volume show first', 'one of them, by name or id'],
    ),
  );

  // where OpenStack's client has them
  addServiceCommands(volume.command('service', { hidden: true }).description('As `service`'), context);
  addMessageCommands(volume.command('message', { hidden: true }).description('As `message`'), context);
  const backend = volume.command('backend', { hidden: true }).description('Backends');
  addPoolCommands(backend.command('pool').description('As `pool`'), context);
};
