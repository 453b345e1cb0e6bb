import {
  type GrpcObject,
  loadPackageDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type ServiceDefinition,
  status as Code,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ExecutionContext } from 'ava';
import { compatible, parseVersion, type Version } from '#src/rpc/version-number.js';
import { protoView, writeView } from '../../scripts/proto-view.js';
import { levelsFrom } from '../../scripts/versions/levels.js';
import { readSources, type Sources } from '../../scripts/versions/sources.js';
import { folderFor } from './folder.js';

type Owner = Pick<ExecutionContext, 'teardown'>;

let sources: Promise<Sources> | undefined;

/** A folder with the protos of an older version, e.g. `cinder-scheduler=3.9`, gone with the test. */
export async function viewFolder(t: Owner, versions: string): Promise<string> {
  const folder = await folderFor(t);
  await writeView(folder, protoView(await (sources ??= readSources()), levelsFrom(versions)));
  return folder;
}

/** A service of an older version, made at run time from its protos alone: what is newer does not exist for it. */
export async function oldService(t: Owner, versions: string, service: string): Promise<ServiceClientConstructor> {
  const [, name = ''] = /^cinder\.(scheduler|volume)\./.exec(service) ?? [];
  const folder = await viewFolder(t, versions);
  const loaded = loadSync(`cinder/${name}/v3/${name}_manager.proto`, {
    includeDirs: [folder],
    ...{ keepCase: true, longs: Number, enums: String },
  });
  let found: unknown = loadPackageDefinition(loaded);
  for (const part of service.split('.')) found = (found as GrpcObject)[part];
  return found as ServiceClientConstructor;
}

/** A request as an old server read it. */
export interface OldArrival {
  readonly method: string;
  /** `cinder-rpc-version` of the request. */
  readonly version: string;
  readonly requestId: string;
  /** By the proto's names; without what the old protos do not know. */
  readonly request: Readonly<Record<string, unknown>>;
  /** Its request encoded anew. */
  readonly bytes: Buffer;
}

export interface OldServer {
  readonly address: string;
  readonly stop: () => void;
}

/**
 * A server of nothing but the old protos: like Cinder's it compares versions, and like any gRPC server it answers a bare
 * UNIMPLEMENTED to what is newer, without a detail or a header of ours. Everything else it takes, and answers nothing in it.
 */
export async function oldServer(
  { service }: ServiceClientConstructor,
  own: Version,
  told: (arrival: OldArrival) => void,
): Promise<OldServer> {
  const server = new Server();
  server.addService(service, handlers(service, own, told));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

type Request = Readonly<Record<string, unknown>>;
type OldHandler = (call: ServerUnaryCall<Request, object>, respond: sendUnaryData<object>) => void;

function handlers(
  service: ServiceDefinition,
  own: Version,
  told: (arrival: OldArrival) => void,
): Record<string, OldHandler> {
  return Object.fromEntries(
    Object.entries(service).map(([method, { requestSerialize }]): [string, OldHandler] => [
      method,
      ({ request, metadata }, respond) => {
        const header = (name: string): string => metadata.get(name)[0]?.toString() ?? '';
        const version = header('cinder-rpc-version');
        if (!compatible(own, parseVersion(version))) {
          respond({ code: Code.UNIMPLEMENTED, details: 'too new' });
          return;
        }
        told({
          method,
          version,
          requestId: header('x-openstack-request-id'),
          request,
          bytes: requestSerialize(request),
        });
        respond(null, {});
      },
    ]),
  );
}
