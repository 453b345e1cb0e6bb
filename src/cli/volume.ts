import { randomUUID } from 'node:crypto';

import { InvalidArgumentError, type Command } from 'commander';

import { VolumeStatus, type SchedulerHints, type Volume } from '../gen/cinder/api/v3/volumes.js';
import { explain } from './explain.js';
import { follow, type Follow } from './follow.js';
import { list, record, type OutputOptions } from './output.js';
import { UsageError, type CliParts } from './parts.js';
import { LIST_COLUMNS, LONG_COLUMNS, statusWord, volumeRecord, volumeRow } from './volume-view.js';
import { withVolumes, type Connection, type VolumesApi } from './volumes-api.js';

/** The options of every command that calls the API, as commander gives them. */
export interface GlobalOptions extends OutputOptions {
  readonly project?: string;
  readonly user?: string;
  readonly token?: string;
}

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
  readonly idempotencyKey?: string;
  readonly wait: boolean;
  readonly waitTimeout: number;
}

interface DeleteOptions {
  readonly force: boolean;
  readonly purge: boolean;
  readonly wait: boolean;
  readonly waitTimeout: number;
}

const REQUEST_TIMEOUT_MS = 60_000;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** Adds `volume create | list | show | delete`, with the verbs and columns of `openstack volume`. */
export function addVolumeCommands(program: Command, parts: CliParts, apiAddress: () => string): void {
  const volume = program.command('volume').description('Volumes of a project');
  const print = (text: string): void => void parts.stdout.write(text);
  const withApi = (use: (api: VolumesApi, options: GlobalOptions) => Promise<void>): Promise<void> =>
    callApi(program.opts<GlobalOptions>(), apiAddress(), parts, use);
  const tell = progressTo(parts.stderr);

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
    .option('--snapshot <id>', 'start from a snapshot')
    .option('--source <id>', 'clone a volume')
    .option('--image <id>', 'start from an image')
    .option('--idempotency-key <key>', 'makes it safe to repeat the command')
    .option('--wait', 'wait until it is available or has failed', false)
    .option('--wait-timeout <seconds>', 'how long to wait', count, 300)
    .action((name: string | undefined, options: CreateOptions) =>
      withApi(async (api, output) => {
        let made = await api.create(createRequest(name, options));
        if (options.wait) {
          const done = await follow(api, {
            volumeId: made.id,
            isDone: (now) => now === undefined || !WORKING.includes(now.status),
            onChange: tell,
            timeoutMs: options.waitTimeout * 1_000,
          });
          if (done === undefined) throw new Error(`Volume ${made.id} was deleted meanwhile.`);
          made = done;
        }
        print(record(volumeRecord(made), output));
        if (isFailed(made)) throw new Error(`Volume ${made.id} is in status ${statusWord(made.status)}${why(made)}`);
      }),
    );

  volume
    .command('list')
    .description('List the volumes of the project, newest first')
    .option('--long', 'more columns', false)
    .option('--limit <count>', 'at most so many', count, NO_LIMIT)
    .action(({ long, limit }: { long: boolean; limit: number }) =>
      withApi(async (api, output) => {
        const columns = long ? LONG_COLUMNS : LIST_COLUMNS;
        print(list((await api.list(limit)).map(volumeRow), columns, output));
      }),
    );

  volume
    .command('show')
    .description('Show a volume')
    .argument('<volume>', 'its id')
    .action((volumeId: string) =>
      withApi(async (api, output) => print(record(volumeRecord(await api.get(volumeId)), output))),
    );

  volume
    .command('delete')
    .description('Delete volumes')
    .argument('<volumes...>', 'their ids')
    .option('--force', 'whatever the status (administrators)', false)
    .option('--purge', 'delete the snapshots too', false)
    .option('--wait', 'wait until they are gone', false)
    .option('--wait-timeout <seconds>', 'how long to wait for each', count, 300)
    .action((volumeIds: string[], { force, purge, wait, waitTimeout }: DeleteOptions) =>
      withApi(async (api) => {
        for (const volumeId of volumeIds) await api.delete({ volumeId, force, cascade: purge });
        if (!wait) return;
        for (const volumeId of volumeIds) {
          const left = await follow(api, {
            volumeId,
            isDone: (now) => now === undefined || now.status !== VolumeStatus.DELETING,
            onChange: tell,
            timeoutMs: waitTimeout * 1_000,
          });
          if (left !== undefined && left.status !== VolumeStatus.DELETED) {
            throw new Error(`Volume ${volumeId} is in status ${statusWord(left.status)}${why(left)}`);
          }
        }
      }),
    );
}

const WORKING: readonly VolumeStatus[] = [VolumeStatus.CREATING, VolumeStatus.DOWNLOADING];

async function callApi(
  options: GlobalOptions,
  api: string,
  { environment }: CliParts,
  use: (api: VolumesApi, options: GlobalOptions) => Promise<void>,
): Promise<void> {
  const connection: Connection = {
    api,
    requestId: `req-${randomUUID()}`,
    project: options.project ?? (environment['CINDER_PROJECT_ID'] || undefined),
    user: options.user ?? (environment['CINDER_USER_ID'] || undefined),
    token: options.token ?? (environment['CINDER_TOKEN'] || undefined),
    timeoutMs: REQUEST_TIMEOUT_MS,
  };
  try {
    await withVolumes(connection, (volumes) => use(volumes, options));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new Error(explain(error, connection), { cause: error });
  }
}

function createRequest(name: string | undefined, options: CreateOptions): Parameters<VolumesApi['create']>[0] {
  if (name !== undefined && options.name !== undefined) throw new UsageError('Give the name once.');
  return {
    size: options.size,
    name: name ?? options.name,
    description: options.description,
    volumeType: options.type,
    availabilityZone: options.availabilityZone,
    metadata: new Map(options.property),
    snapshotId: options.snapshot,
    sourceVolumeId: options.source,
    imageId: options.image,
    schedulerHints: hintsOf(options.hint),
    idempotencyKey: options.idempotencyKey,
  };
}

function hintsOf(hints: ReadonlyMap<string, string>): SchedulerHints | undefined {
  if (hints.size === 0) return undefined;
  return {
    sameHost: hints.get('same_host')?.split(',') ?? [],
    differentHost: hints.get('different_host')?.split(',') ?? [],
    localToInstance: hints.get('local_to_instance'),
    query: hints.get('query'),
  };
}

/** Progress is for people: a script that reads stderr gets errors only. */
function progressTo(stderr: NodeJS.WritableStream): Follow['onChange'] {
  if (!('isTTY' in stderr) || stderr.isTTY !== true) return () => undefined;
  return ({ volume, progressPercent }) => {
    const progress = progressPercent === undefined ? '' : ` ${progressPercent} %`;
    if (volume !== undefined) stderr.write(`${volume.id}: ${statusWord(volume.status)}${progress}\n`);
  };
}

function isFailed({ status }: Volume): boolean {
  return status === VolumeStatus.ERROR;
}

function why({ statusReason }: Volume): string {
  return statusReason === undefined ? '.' : `: ${statusReason}`;
}

function integer(value: string): number {
  if (!/^-?\d+$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}

function count(value: string): number {
  const number = integer(value);
  if (number < 1) throw new InvalidArgumentError('It must be 1 or more.');
  return number;
}

function pair(value: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return new Map(before).set(value.slice(0, at), value.slice(at + 1));
}

/** Repeated hosts add up; the other hints are replaced. */
function hint(value: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [[key = '', word = ''] = []] = pair(value, new Map());
  if (!HINTS.includes(key)) throw new InvalidArgumentError(`There are ${HINTS.join(', ')}.`);
  const earlier = key.endsWith('_host') ? before.get(key) : undefined;
  return new Map(before).set(key, earlier === undefined ? word : `${earlier},${word}`);
}

const HINTS = ['same_host', 'different_host', 'local_to_instance', 'query'];
