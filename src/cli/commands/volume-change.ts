import { Option } from 'commander';

import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { volumeIdOf } from '../lookup.js';
import { CommandError, UsageError } from '../parts.js';
import { flag, pair, several } from '../values.js';

interface SetOptions {
  readonly name?: string;
  readonly description?: string;
  readonly property: ReadonlyMap<string, string>;
  readonly noProperty?: boolean;
  readonly bootable?: boolean;
  readonly nonBootable?: boolean;
}

const FIELDS = { bootable: '--bootable', keys: '--property' };

/** Adds `volume set | unset`. */
export const addVolumeChanges: AddTo = (volume, context) => {
  volume
    .command('set')
    .description('Change a volume')
    .argument('<volume>', 'its name or id')
    .option('--name <name>', 'a new name')
    .option('--description <words>', 'new words about it')
    .option('--property <key=value>', 'set a property (repeat for more); the others stay', pair, new Map())
    .addOption(flag('--no-property', 'remove all properties; --property then sets new ones'))
    .addOption(new Option('--bootable', 'a server can boot from it').conflicts('nonBootable'))
    .option('--non-bootable', 'a server cannot boot from it')
    .addHelpText(
      'after',
      examples(
        ['volume set --name db-2026 first', 'another name'],
        ['volume set --property env=test --property owner=ann first', 'two properties'],
        ['volume set --no-property --property env=prod first', 'this property and no other'],
      ),
    )
    .action(onApi(context, setVolume, { fields: FIELDS, changes: true }));

  volume
    .command('unset')
    .description('Take properties out of a volume')
    .argument('<volume>', 'its name or id')
    .requiredOption('--property <key>', 'the property (repeat for more)', several)
    .addHelpText('after', examples('volume unset --property env --property owner first'))
    .action(onApi(context, unsetVolume, { fields: FIELDS, changes: true }));
};

/**
 * Two requests where properties are set beside other fields: the API merges properties in one of their own. When the second
 * fails, the first stands, and the command says so.
 */
async function setVolume(api: Api, nameOrId: string, options: SetOptions): Promise<void> {
  const { name, description, property, noProperty = false } = options;
  const bootable = options.bootable ?? (options.nonBootable ? false : undefined);
  const update = { name, description, bootable, ...(noProperty && { metadata: property }) };
  const updateMask = Object.entries(update).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  const merges = property.size > 0 && !noProperty;
  if (updateMask.length === 0 && !merges) {
    throw new UsageError(
      'Say what to set: --name, --description, --property, --no-property, --bootable or --non-bootable.',
    );
  }

  const { client, call } = api;
  const volumeId = await volumeIdOf(api, nameOrId);
  if (updateMask.length > 0) await client.volumes.updateVolume({ ...update, volumeId, updateMask }, call);
  if (!merges) return;
  try {
    await client.volumes.setVolumeMetadata({ volumeId, metadata: property }, call);
  } catch (error) {
    if (updateMask.length === 0 || call.signal.aborted) throw error;
    const done = `The properties were not set; ${updateMask.join(' and ')} ${updateMask.length > 1 ? 'were' : 'was'}.`;
    throw new CommandError(`${done}\n${api.explain(error)}`, 1, { cause: error });
  }
}

async function unsetVolume(
  api: Api,
  nameOrId: string,
  { property }: { readonly property: readonly string[] },
): Promise<void> {
  const volumeId = await volumeIdOf(api, nameOrId);
  await api.client.volumes.deleteVolumeMetadata({ volumeId, keys: property }, api.call);
}
