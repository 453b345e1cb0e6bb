import { PlacementOutcome } from '../../gen/cinder/api/v3/pools.js';
import type { SchedulerHints } from '../../gen/cinder/api/v3/volumes.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { typeNameOf, volumeIdOf } from '../lookup.js';
import { CommandError, UsageError } from '../parts.js';
import { printable } from '../printable.js';
import { hint, integer, pair, seconds } from '../values.js';
import { waitFor } from '../wait.js';
import { statusWord } from '../volume-status.js';
import { volumeRecord } from './volume-view.js';

interface CreateOptions {
  readonly size?: number;
  readonly name?: string;
  readonly description?: string;
  readonly type?: string;
  readonly availabilityZone?: string;
  readonly property: ReadonlyMap<string, string>;
  readonly hint: ReadonlyMap<string, string>;
  readonly snapshot?: string;
  readonly source?: string;
  readonly image?: string;
  readonly backup?: string;
  readonly idempotencyKey?: string;
  readonly wait: boolean;
  readonly dryRun: boolean;
  readonly timeout: number;
}

const FIELDS = {
  volume_type: '--type',
  snapshot_id: '--snapshot',
  source_volume_id: '--source',
  image_id: '--image',
  backup_id: '--backup',
  scheduler_hints: '--hint',
};
const WORKING = ['creating', 'downloading'];

/** Adds `volume create`. */
export const addVolumeCreate: AddTo = (volume, context) => {
  volume
    .command('create')
    .description('Make a volume')
    .argument('[name]', 'its name')
    .option('--size <GiB>', 'size in GiB; needed for a blank volume', integer)
    .option('--name <name>', 'its name, where the argument is not used')
    .option('--description <words>', 'words about it')
    .option('--type <type>', 'volume type, id or name')
    .option('--availability-zone <zone>', 'availability zone')
    .option('--property <key=value>', 'set a property (repeat for more)', pair, new Map<string, string>())
    .option(
      '--hint <key=value>',
      'same_host, different_host, local_to_instance or query (repeat for more hosts)',
      hint,
      new Map<string, string>(),
    )
    .option('--source <volume>', 'clone a volume, by name or id')
    .option('--snapshot <id>', 'start from a snapshot')
    .option('--image <id>', 'start from an image')
    .option('--backup <id>', 'restore a backup')
    .option('--idempotency-key <key>', 'makes it safe to repeat the command')
    .option(
      '--dry-run',
      'make nothing: show which pools would do, and why the others would not (administrators)',
      false,
    )
    .option('--wait', 'wait until it is available or has failed', false)
    .option('--timeout <seconds>', 'how long to wait [default: 300]', seconds, 300_000)
    .addHelpText(
      'after',
      examples(
        ['volume create --size 10 first', 'a blank volume of 10 GiB'],
        ['volume create --size 10 --type fast --property env=test --wait second', 'and wait until it can be used'],
        ['--roles admin volume create --size 10 --type fast --dry-run', 'why a pool is chosen, or none'],
        ['volume create --source first copy', 'a clone, as large as its source'],
        ['volume create --size 1 --hint different_host=VOLUME_ID apart', 'on another backend than that volume'],
      ),
    )
    .action(onApi(context, createVolume, { fields: FIELDS, changes: true }));
};

async function createVolume(api: Api, name: string | undefined, options: CreateOptions): Promise<void> {
  if (name !== undefined && options.name !== undefined) throw new UsageError('Give the name once.');
  const sourceVolumeId = options.source === undefined ? undefined : await volumeIdOf(api, options.source);
  const request = {
    size: options.size,
    name: name ?? options.name,
    description: options.description,
    volumeType: options.type,
    availabilityZone: options.availabilityZone,
    metadata: options.property,
    snapshotId: options.snapshot,
    sourceVolumeId,
    imageId: options.image,
    backupId: options.backup,
    schedulerHints: hintsOf(options.hint),
    idempotencyKey: options.idempotencyKey,
  };
  if (options.dryRun) {
    await showPlacement(api, request);
    return;
  }
  let { volume: made } = await api.client.volumes.createVolume(request, api.call);
  if (made !== undefined && options.wait) {
    const { id } = made;
    made = await waitFor(api, {
      volumeId: id,
      isDone: (now) => now === undefined || !WORKING.includes(statusWord(now.status)),
      timeoutMs: options.timeout,
      doing: 'being created',
      status: statusWord(made.status),
    });
    if (made === undefined) throw new CommandError(`Volume ${id} was deleted meanwhile.`);
  }
  if (made === undefined) throw new CommandError('The API answered without a volume.');
  await api.printRecord(volumeRecord(made, await typeNameOf(api, made.volumeTypeId)), `Volume ${made.id} was made.`);
  if (statusWord(made.status) === 'error') {
    const reason = made.statusReason === undefined ? '.' : `: ${printable(made.statusReason)}`;
    throw new CommandError(
      `Volume ${made.id} is in status error${reason}\n\`cinder-grpc message list --resource ${made.id}\` may tell more.`,
    );
  }
}

const PLACEMENT_COLUMNS = ['Rank', 'Pool', 'Weight', 'Rejected By', 'Reason'] as const;
const MORE_PLACEMENT_COLUMNS = [...PLACEMENT_COLUMNS, 'Weights'] as const;

/** A volume as it is asked for. */
type NewVolume = Parameters<Api['client']['volumes']['createVolume']>[0];

async function showPlacement(api: Api, volume: NewVolume): Promise<void> {
  const answer = await api.client.pools.explainPlacement({ volume }, api.call);
  const rows = answer.pools.map(({ name, rank, weight, weights, rejectedBy, reason }) => ({
    ...{ Rank: rank, Pool: name, Weight: weight, 'Rejected By': rejectedBy, Reason: reason, Weights: weights },
  }));
  if (rows.length > 0) await api.printList(rows, PLACEMENT_COLUMNS, MORE_PLACEMENT_COLUMNS);
  if (answer.outcome !== PlacementOutcome.PLACEABLE) {
    throw new CommandError(`No pool would do. ${printable(answer.summary)}`);
  }
}

function hintsOf(hints: ReadonlyMap<string, string>): Partial<SchedulerHints> | undefined {
  if (hints.size === 0) return undefined;
  return {
    sameHost: hints.get('same_host')?.split(',') ?? [],
    differentHost: hints.get('different_host')?.split(',') ?? [],
    localToInstance: hints.get('local_to_instance'),
    query: hints.get('query'),
  };
}
