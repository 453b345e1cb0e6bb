import { Fault } from '#src/errors/fault.js';
import { SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { RequestContext } from '#src/objects/request-context.js';
import type { CastClient } from '#src/rpc/cast-client.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { OBJECT_VERSION } from '#src/rpc/object-history.js';
import { OlderForms } from '#src/rpc/older-form.js';
import { type AnyService, serviceNameOf } from '#src/rpc/service-definition.js';
import type { FanOut, VersionedClientOptions } from '#src/rpc/versioned-client.js';
import { versionOf } from '#src/rpc/version-number.js';
import { internalApiOf } from '#src/rpc/versions.js';
import { rules } from '../../support/rpc.js';

/** An internal API, as its client is used. */
export interface Api {
  readonly binary: 'cinder-scheduler' | 'cinder-volume';
  readonly definition: AnyService;
  readonly makeClient: (options: VersionedClientOptions) => AnyClient;
  /** Every minor version, oldest first. */
  readonly versions: readonly string[];
  /** What a method of the client takes where it words the request itself. */
  readonly args: Readonly<Record<string, (request: Message) => readonly unknown[]>>;
}

/** A request, whatever it is; each client method knows its own. */
export type Message = Readonly<Record<string, unknown>>;
type AnyClient = CastClient<AnyService>;
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

/** Hands a durable cast over as the product does, from the row that it makes of it. Throws the refusal. */
export async function deliver(
  api: Api,
  client: AnyClient,
  method: string,
  context: RequestContext,
  request: Message,
): Promise<undefined> {
  const serialize = api.definition[camel(method)]?.requestSerialize as (message: Message) => Buffer;
  const ownApi = internalApiOf(rules, serviceNameOf(api.definition));
  const own = { rpc: ownApi.version, objects: versionOf(OBJECT_VERSION) };
  const { version: payloadVersion } = new OlderForms(ownApi).prepare(method, request, own);
  const message = client.inOwnWords({ method, binary: api.binary, payload: serialize(request), payloadVersion });
  const { resource } = ownApi.methods.get(method) ?? {};
  if (!resource) throw new Error(`${method} is no durable cast`);
  const cast = { resourceType: resource.type, resourceId: 'id', epoch: 1, target: TARGET, context, message };
  const [outcome] = await client.deliver([cast]);
  if (outcome?.outcome !== 'claimed') throw Object.assign(new Error(outcome?.message), { reason: outcome?.reason });
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
