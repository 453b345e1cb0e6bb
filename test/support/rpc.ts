import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { type ClientHttp2Stream, connect, type Settings } from 'node:http2';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type Options } from '@grpc/proto-loader';
import type { ExecutionContext } from 'ava';
import { VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { RequestContext } from '#src/objects/request-context.js';
import type { CastDispatcher, IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { type Descriptors, descriptorsFrom, readDescriptors } from '#src/rpc/descriptors.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import type { Peer } from '#src/rpc/peers.js';
import { publicServer, type PublicHandlers, publicService, type PublicServerOptions } from '#src/rpc/public-server.js';
import type { AnyMethod, AnyService, RequestOf, ResponseOf } from '#src/rpc/service-definition.js';
import type { ServiceVersions } from '#src/rpc/version-cap.js';
import type { VersionedClientOptions } from '#src/rpc/versioned-client.js';
import { internalServer, type InternalServerOptions } from '#src/rpc/versioned-server.js';
import { readRules } from '#src/rpc/versions.js';
import { folderFor } from './folder.js';

const REPOSITORY = new URL('../../../', import.meta.url);

/** The product's own protos and rules. */
export const descriptors = readDescriptors();
export const rules = readRules(descriptors);

export const MEBIBYTE = 1_048_576;

/** On whose behalf the tests call. */
export const context: RequestContext = {
  requestId: 'req-test-1',
  projectId: 'project-1',
  userId: 'user-1',
  roles: ['member'],
  traceparent: '',
};

/** The descriptor set of a proto of a test's own, which may import the RPC options. */
export async function descriptorsOf(t: ExecutionContext, proto: string): Promise<Descriptors> {
  const folder = await folderFor(t);
  await mkdir(join(folder, 'cinder/rpc/v1'), { recursive: true });
  const options = 'cinder/rpc/v1/options.proto';
  await cp(fileURLToPath(new URL(`proto/${options}`, REPOSITORY)), join(folder, options));
  await writeFile(join(folder, 'buf.yaml'), 'version: v2\n');
  await writeFile(join(folder, 'test.proto'), `syntax = "proto3";\nimport "${options}";\n${proto}`);
  const buf = fileURLToPath(new URL('node_modules/.bin/buf', REPOSITORY));
  await promisify(execFile)(buf, ['build', '--as-file-descriptor-set', '-o', 'out.binpb'], { cwd: folder });
  return descriptorsFrom(await readFile(join(folder, 'out.binpb')));
}

/** A service class loaded by @grpc/proto-loader from the text of a proto: a peer that knows nothing of this code. */
export async function loadedService(
  t: ExecutionContext,
  proto: string,
  name: string,
): Promise<ServiceClientConstructor> {
  const file = join(await folderFor(t), 'old.proto');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `syntax = "proto3";\n${proto}`);
  const options: Options = { keepCase: true, longs: Number };
  let found: unknown = loadPackageDefinition(loadSync(file, options));
  for (const part of name.split('.')) found = (found as GrpcObject)[part];
  return found as ServiceClientConstructor;
}

/** A bare gRPC client, closed by `t.teardown`. */
export function bareClient(
  t: Pick<ExecutionContext, 'teardown'>,
  server: { readonly address: string },
  options: ClientOptions = {},
  how: ChannelCredentials = credentials.createInsecure(),
): Client {
  const client = new Client(server.address, how, options);
  t.teardown(() => client.close());
  return client;
}

/** What a call was answered with, beside the response. */
export interface Answer<T> {
  readonly response?: T;
  readonly error?: ServiceError;
  /** Of the response headers; of the trailers where there were no headers. */
  readonly metadata: Metadata;
}

/** One unary call by a bare client, without any of our client's rules. Never rejects. */
export function callBare<M extends AnyMethod>(
  client: Client,
  method: M,
  request: RequestOf<M>,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  options: {
    readonly deadline?: number;
    /** The call is cancelled when it settles. */ readonly cancelWhen?: Promise<unknown>;
  } = {},
): Promise<Answer<ResponseOf<M>>> {
  return new Promise((resolve) => {
    let metadata = new Metadata();
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize as (request: RequestOf<M>) => Buffer,
      method.responseDeserialize as (bytes: Buffer) => ResponseOf<M>,
      request,
      metadataOf(headers),
      { deadline: options.deadline ?? Date.now() + 10_000 },
      (error, response) => {
        if (error) resolve({ error, metadata: error.metadata });
        else resolve({ ...(response !== undefined && { response }), metadata });
      },
    );
    call.on('metadata', (received: Metadata) => (metadata = received));
    void options.cancelWhen?.then(() => call.cancel());
  });
}

/** A list gives a header several times. */
export function metadataOf(headers: Readonly<Record<string, string | readonly string[]>>): Metadata {
  const metadata = new Metadata();
  for (const [name, values] of Object.entries(headers)) for (const value of [values].flat()) metadata.add(name, value);
  return metadata;
}

/** Claims everything, and remembers it. */
export class RecordingDispatcher implements CastDispatcher {
  readonly casts: IncomingCast[] = [];

  async deliver(casts: readonly IncomingCast[]): Promise<(typeof CLAIMED)[]> {
    this.casts.push(...casts);
    return casts.map(() => CLAIMED);
  }
}

/** A server of an internal API on a free port, stopped by `t.teardown`. */
export async function serverOf<S extends AnyService>(
  t: ExecutionContext,
  definition: S,
  options: Partial<InternalServerOptions<S>> = {},
): Promise<ListeningServer> {
  const server = await internalServer<S>({
    address: '127.0.0.1:0',
    maxMessageBytes: MEBIBYTE,
    descriptors,
    rules,
    definition,
    handlers: {},
    report: (error) => t.log(error),
    ...options,
  });
  t.teardown(() => server.stop(1_000));
  return server;
}

/** A scheduler's server; see `serverOf`. */
export function schedulerServer(
  t: ExecutionContext,
  options: Partial<InternalServerOptions<typeof SchedulerManagerService>> = {},
): Promise<ListeningServer> {
  return serverOf(t, SchedulerManagerService, options);
}

/** Services and processes as the records would hold them; a test changes them as it goes. */
export class Installation {
  services: ServiceVersions[] = [];
  peers: Peer[] = [];
  /** How often the versions were read. */
  reads = 0;

  /** Registers a server under a version. */
  add(
    server: { readonly address: string },
    rpcVersion: string,
    host = `host-${this.peers.length + 1}`,
    objectVersion = '1.39',
  ): void {
    this.services.push({ host, rpcVersion, objectVersion, silentMs: 0 });
    this.peers.push({ incarnation: `${host}-${this.peers.length}`, host, endpoint: server.address, serves: [host] });
  }

  readonly registry = {
    versionsOf: async (): Promise<readonly ServiceVersions[]> => {
      this.reads += 1;
      return [...this.services];
    },
  };

  readonly readPeers = async (): Promise<readonly Peer[]> => [...this.peers];
}

/** Options of a client in such an installation. */
export function clientOptions(
  installation: Installation,
  options: Partial<VersionedClientOptions> = {},
): VersionedClientOptions {
  const { registry, readPeers } = installation;
  return { rules, registry, readPeers, maxMessageBytes: MEBIBYTE, timeoutMs: 5_000, ...options };
}

/** A client of the schedulers in an installation, closed by `t.teardown`. */
export function schedulerClient(
  t: ExecutionContext,
  installation: Installation,
  options: Partial<VersionedClientOptions> = {},
): SchedulerClient {
  const client = new SchedulerClient(clientOptions(installation, options));
  t.teardown(() => client.close());
  return client;
}

const unexpected = async (): Promise<never> => Promise.reject(new Error('not called in this test'));

const NO_VOLUMES: PublicHandlers<typeof VolumesService> = {
  createVolume: unexpected,
  getVolume: unexpected,
  listVolumes: unexpected,
  deleteVolume: unexpected,
  watchVolumes: unexpected,
  summarizeVolumes: unexpected,
  updateVolume: unexpected,
  setVolumeMetadata: unexpected,
  deleteVolumeMetadata: unexpected,
  resetVolumeStatus: unexpected,
};

/** The public server with the Volumes service on a free port. Everybody who names a project is let in. */
export async function volumesServer(
  t: ExecutionContext,
  handlers: Partial<PublicHandlers<typeof VolumesService>>,
  options: Partial<PublicServerOptions> = {},
): Promise<ListeningServer> {
  const server = await publicServer({
    address: '127.0.0.1:0',
    maxMessageBytes: MEBIBYTE,
    descriptors,
    rules,
    services: [publicService(VolumesService, { ...NO_VOLUMES, ...handlers })],
    authenticator: {
      authenticate: (headers) => ({
        projectId: headers('x-project-id') ?? 'project-1',
        userId: 'user-1',
        roles: (headers('x-roles') ?? 'member').split(','),
      }),
    },
    policy: { allows: () => true },
    report: (error) => t.log(error),
    ...options,
  });
  t.teardown(() => server.stop(1_000));
  return server;
}

interface UnreadOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Of HTTP/2: with `initialWindowSize: 0` the server may send headers only, for ever. */
  readonly settings?: Settings;
}

/**
 * Calls a method with an empty request, and reads nothing of its answer until it is read by whoever called this: a client of
 * grpc-js reads without bound until its first message is asked for.
 */
export function unreadStream(
  t: ExecutionContext,
  { address }: { readonly address: string },
  path: string,
  { headers = {}, settings = {} }: UnreadOptions = {},
): ClientHttp2Stream {
  const session = connect(`http://${address}`, { settings });
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const stream = session.request({
    ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  stream.on('error', () => undefined);
  stream.end(Buffer.from([0, 0, 0, 0, 0]));
  return stream;
}

/** A promise, and what fulfils it. */
export function milestone(): { readonly reached: Promise<void>; readonly reach: () => void } {
  let reach: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { reached, reach };
}

/** Waits until something is so. Throws after five seconds. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`it did not happen: ${what}`);
    await delay(10);
  }
}
