import { Fault } from '#src/errors/fault.js';
import { SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { RequestContext } from '#src/objects/request-context.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import type { AnyService } from '#src/rpc/service-definition.js';
import type { FanOut, VersionedClient, VersionedClientOptions } from '#src/rpc/versioned-client.js';

/** An internal API, as its client is used. */
export interface Api {
  readonly binary: string;
  readonly definition: AnyService;
  readonly makeClient: (options: VersionedClientOptions) => AnyClient;
  /** Every minor version, oldest first. */
  readonly versions: readonly string[];
  /** What a method of the client takes where it words the request itself. */
  readonly args: Readonly<Record<string, (request: Message) => readonly unknown[]>>;
}

/** A request, whatever it is; each client method knows its own. */
export type Message = Readonly<Record<string, unknown>>;
type AnyClient = VersionedClient<AnyService>;
type Method = (context: RequestContext, ...args: readonly unknown[]) => Promise<unknown>;

/** Whom every call of the matrix is for. */
export const TARGET = 'host@backend';

export const SCHEDULER: Api = {
  binary: 'cinder-scheduler',
  definition: SchedulerManagerService,
  makeClient: (options) => new SchedulerClient(options),
  versions: minors(12),
  args: {
    GetPools: ({ filters }) => [filters],
    WorkCleanup: ({ cleanupRequest }) => [cleanupRequest],
    DoCleanup: ({ cleanupRequest }) => [cleanupRequest],
    SetLogLevels: ({ logRequest }) => [logRequest],
    GetLogLevels: ({ logRequest }) => [logRequest],
    NotifyServiceCapabilities: (notice) => [notice],
  },
};

export const VOLUME: Api = {
  binary: 'cinder-volume',
  definition: VolumeManagerService,
  makeClient: (options) => new VolumeClient(options),
  versions: minors(20),
  args: {
    AttachVolume: (request) => [request['volume'], request],
    DetachVolume: ({ volume, attachmentId }) => [volume, attachmentId],
    AcceptTransfer: (request) => [{ id: request['volumeId'] }, request],
    GetBackupDevice: ({ backup }) => [backup],
    GetManageableVolumes: (page) => [page],
    GetManageableSnapshots: (page) => [page],
    FailoverCompleted: ({ updates }) => [updates],
    DoCleanup: ({ cleanupRequest }) => [cleanupRequest],
    SetLogLevels: ({ logRequest }) => [logRequest],
    GetLogLevels: ({ logRequest }) => [logRequest],
    PublishServiceCapabilities: () => [],
  },
};

/** Calls a method as the product does; what only old clients call, by its name. Throws what it throws; a fan-out, its failure. */
export async function callByName(
  api: Api,
  client: AnyClient,
  name: string,
  context: RequestContext,
  request: Message,
): Promise<unknown> {
  const method = (client as unknown as Readonly<Record<string, Method | undefined>>)[camel(name)];
  const args = api.args[name]?.(request) ?? [request];
  const answer = method
    ? await method.call(client, context, ...args, { target: TARGET })
    : await client.call(name as Capitalize<string>, context, request, { target: TARGET });
  if (!isFanOut(answer)) return answer;
  if (answer.failed[0]) throw answer.failed[0].error;
  if (answer.reached !== 1)
    throw new Fault('ServiceUnavailable', { service: api.binary, reason: 'nobody was reached' });
  return undefined;
}

export function camel(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function isFanOut(answer: unknown): answer is FanOut {
  return typeof answer === 'object' && answer !== null && 'reached' in answer && 'failed' in answer;
}

function minors(newest: number): readonly string[] {
  return Array.from({ length: newest + 1 }, (_, minor) => `3.${minor}`);
}
