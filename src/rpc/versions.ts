import type { DescField, DescMethod, DescService } from '@bufbuild/protobuf';
import type { Descriptors } from './descriptors.js';
import type { Cut, FieldPlace } from './message-cut.js';
import { cutOf, messageRules, type MessageRules, placeOf } from './message-rules.js';
import { type Kind, rpcOptions, type RpcOptions } from './rpc-options.js';
import { compareVersions, compatible, formatVersion, type Version, versionOf } from './version-number.js';

/** What the protos say about RPCs, read once at start; the only statement of a version or policy rule. */
export interface Rules {
  /** Internal APIs by the full name of their service. */
  readonly internal: ReadonlyMap<string, InternalApi>;
  /** Public services by their full name. */
  readonly public: ReadonlyMap<string, PublicApi>;
}

/** An internal API: one service of one binary. */
export interface InternalApi {
  readonly service: string;
  readonly binary: string;
  /** Newest version that is described. */
  readonly version: Version;
  /** Oldest version that is understood. */
  readonly baseline: Version;
  /** By the RPC's name, e.g. `CreateVolume`. */
  readonly methods: ReadonlyMap<string, InternalMethod>;
}

export interface InternalMethod {
  readonly name: string;
  /** `/cinder.scheduler.v3.SchedulerManager/CreateVolume`. */
  readonly path: string;
  readonly since: Version;
  readonly kind: Kind;
  readonly durable: boolean;
  readonly request: MessageRules;
  readonly response: MessageRules;
  /** Durable casts: where the request holds the resource that is being changed, or its id. */
  readonly resource: { readonly type: ResourceType; readonly place: FieldPlace } | undefined;
}

/** Kinds of resource that durable casts change. */
export type ResourceType = 'Volume' | 'Snapshot';

export interface PublicApi {
  readonly service: string;
  /** By the RPC's name. */
  readonly methods: ReadonlyMap<string, PublicMethod>;
}

export interface PublicMethod {
  readonly name: string;
  readonly path: string;
  /** Rule a caller must satisfy, e.g. `volume:create`. */
  readonly policy: string;
  /** What is taken out of the answer for callers who are no administrators; undefined: nothing. */
  readonly adminOnly: Cut | undefined;
}

/** Package of the public services. */
const PUBLIC_PACKAGE = 'cinder.api.v3';
/** A snapshot's cast may carry its volume too: the snapshot is what changes. */
const RESOURCES: readonly ResourceType[] = ['Snapshot', 'Volume'];
/** Fields that name a resource by its id. */
const IDS: Readonly<Record<string, ResourceType>> = { volume_id: 'Volume', snapshot_id: 'Snapshot' };

/**
 * Reads the rules. Throws one error that names every proto which breaks one: a public RPC without a policy, an internal
 * one without a kind, a `since` above the version, a durable cast without a resource.
 */
export function readRules({ registry }: Descriptors): Rules {
  const options = rpcOptions(registry);
  const problems: string[] = [];
  const internal = new Map<string, InternalApi>();
  const publicApis = new Map<string, PublicApi>();
  for (const file of registry.files) {
    for (const service of file.services) {
      const api = options.apiOf(service);
      if (api) internal.set(service.typeName, internalApi(service, options, problems));
      else if (file.proto.package === PUBLIC_PACKAGE) {
        publicApis.set(service.typeName, publicApi(service, options, problems));
      }
    }
  }
  if (problems.length > 0) throw new Error(`the protos break the rules of cinder.rpc.v1:\n  ${problems.join('\n  ')}`);
  return { internal, public: publicApis };
}

/** The rules of one internal API. Throws when there is no such service. */
export function internalApiOf(rules: Rules, service: string): InternalApi {
  const api = rules.internal.get(service);
  if (!api) throw new Error(`no internal API ${service}`);
  return api;
}

/** The rules of one public service. Throws when there is no such service. */
export function publicApiOf(rules: Rules, service: string): PublicApi {
  const api = rules.public.get(service);
  if (!api) throw new Error(`no public service ${service}`);
  return api;
}

/** The version a process speaks: the newest, or the older one it is told to. Throws for one the API never had. */
export function ownVersion(api: InternalApi, rpcVersion: string | undefined): Version {
  if (rpcVersion === undefined) return api.version;
  const version = versionOf(rpcVersion);
  if (compatible(api.version, version) && compareVersions(version, api.baseline) >= 0) return version;
  throw new Error(
    `${api.binary} cannot run as ${rpcVersion}: it knows ${formatVersion(api.baseline)} to ${formatVersion(api.version)}`,
  );
}

function internalApi(service: DescService, options: RpcOptions, problems: string[]): InternalApi {
  const { binary, version, baseline } = options.apiOf(service) ?? { binary: '', version: '', baseline: '' };
  const api = { service: service.typeName, binary, version: versionOf(version), baseline: versionOf(baseline) };
  const methods = service.methods.map((desc) => internalMethod(desc, api, options, problems));
  return { ...api, methods: new Map(methods.map((method) => [method.name, method])) };
}

function internalMethod(
  desc: DescMethod,
  api: Pick<InternalApi, 'version' | 'baseline'>,
  options: RpcOptions,
  problems: string[],
): InternalMethod {
  const option = options.methodOf(desc);
  const path = pathOf(desc);
  const request = messageRules(desc.input, options);
  const method: InternalMethod = {
    name: desc.name,
    path,
    since: option?.since ? versionOf(option.since) : api.baseline,
    kind: option?.kind ?? 'call',
    durable: option?.durable ?? false,
    request,
    response: messageRules(desc.output, options),
    resource: option?.durable ? resourceOf(desc, option.resource, options) : undefined,
  };
  if (!option?.kind) problems.push(`${path} has no kind`);
  if (desc.methodKind !== 'unary') problems.push(`${path} is a stream; internal RPCs are unary`);
  if (method.durable && method.kind !== 'cast') problems.push(`${path} is durable, but no cast`);
  if (method.durable && !method.resource) problems.push(`${path} is durable, but carries no resource with an id`);
  if (compareVersions(method.since, api.version) > 0) problems.push(`${path} is newer than its API`);
  problems.push(...tooNew(request, api.version, path));
  return method;
}

function publicApi(service: DescService, options: RpcOptions, problems: string[]): PublicApi {
  const methods = service.methods.map((desc): PublicMethod => {
    const path = pathOf(desc);
    const policy = options.policyOf(desc);
    if (!policy) problems.push(`${path} has no policy`);
    return {
      name: desc.name,
      path,
      policy,
      adminOnly: cutOf(messageRules(desc.output, options), (field) => field.adminOnly),
    };
  });
  return { service: service.typeName, methods: new Map(methods.map((method) => [method.name, method])) };
}

/** The field that is named, or else the first one with an object that can be changed. */
function resourceOf(desc: DescMethod, named: string, options: RpcOptions): InternalMethod['resource'] {
  const fields = named ? desc.input.fields.filter(({ name }) => name === named) : desc.input.fields;
  for (const type of RESOURCES) {
    const field = fields.find((one) => (objectIn(one, options) ?? IDS[named]) === type);
    if (field) return { type, place: placeOf(field) };
  }
  return undefined;
}

function objectIn(field: DescField, options: RpcOptions): string | undefined {
  return field.fieldKind === 'message' ? options.objectOf(field.message)?.name : undefined;
}

/** Fields of an object are numbered by the object's version, all others by the API's. */
function tooNew(rules: MessageRules, apiVersion: Version, path: string): string[] {
  const newest = rules.object?.version ?? apiVersion;
  return [
    ...rules.fields
      .filter(({ since }) => since && compareVersions(since, newest) > 0)
      .map(({ name }) => `${path}: ${rules.typeName}.${name} is newer than its version`),
    ...rules.inside.flatMap(({ rules: inner }) => tooNew(inner, apiVersion, path)),
  ];
}

function pathOf(desc: DescMethod): string {
  return `/${desc.parent.typeName}/${desc.name}`;
}
