import {
  credentials,
  Metadata,
  status,
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';

import {
  CreateVolumeRequest,
  DeleteVolumeRequest,
  GetVolumeRequest,
  ListVolumesRequest,
  VolumesClient,
  WatchVolumesRequest,
  type Volume,
  type WatchVolumesResponse,
} from '../gen/cinder/api/v3/volumes.js';
import { PROJECT_ID, REQUEST_ID, USER_ID } from '../rpc/headers.js';

/** Whom to call, and as whom. */
export interface Connection {
  /** `host:port` of the API. */
  readonly api: string;
  /** Sent with every request, so that an error can be found in the services' logs. */
  readonly requestId: string;
  readonly project: string | undefined;
  readonly user: string | undefined;
  readonly token: string | undefined;
  /** Of each request, in ms. */
  readonly timeoutMs: number;
}

/** The public API's Volumes, as promises. Every method throws grpc-js's ServiceError. */
export interface VolumesApi {
  create(request: Partial<CreateVolumeRequest>): Promise<Volume>;
  get(volumeId: string): Promise<Volume>;
  /** All pages, one after the other, at most `limit` volumes. */
  list(limit: number): Promise<readonly Volume[]>;
  delete(request: Partial<DeleteVolumeRequest>): Promise<void>;
  /** Changes of one volume until `deadline` (ms since 1970). The caller cancels it. */
  watch(volumeId: string, resumeToken: string, deadline: number): ClientReadableStream<WatchVolumesResponse>;
}

const PAGE_SIZE = 500;

/** Opens the API for as long as `use` takes. */
export async function withVolumes<T>(connection: Connection, use: (api: VolumesApi) => Promise<T>): Promise<T> {
  const client = new VolumesClient(connection.api, credentials.createInsecure());
  try {
    return await use(volumesApi(client, connection));
  } finally {
    client.close();
  }
}

/** Whether an error says that there is no such volume. */
export function isNotFound(error: unknown): boolean {
  return (error as Partial<ServiceError>).code === status.NOT_FOUND;
}

function volumesApi(client: VolumesClient, connection: Connection): VolumesApi {
  const metadata = metadataOf(connection);
  const unary = <Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + connection.timeoutMs };
      method(request, metadata, options, (error, response) => (error ? reject(error) : resolve(response)));
    });
  const present = (volume: Volume | undefined): Volume => {
    if (volume === undefined) throw new Error(`${connection.api} answered without a volume.`);
    return volume;
  };

  return {
    create: async (request) =>
      present((await unary(client.createVolume.bind(client), CreateVolumeRequest.fromPartial(request))).volume),

    get: async (volumeId) =>
      present((await unary(client.getVolume.bind(client), GetVolumeRequest.fromPartial({ volumeId }))).volume),

    async list(limit) {
      const volumes: Volume[] = [];
      let pageToken = '';
      do {
        const pageSize = Math.min(PAGE_SIZE, limit - volumes.length);
        const page = await unary(
          client.listVolumes.bind(client),
          ListVolumesRequest.fromPartial({ pageSize, pageToken }),
        );
        volumes.push(...page.volumes);
        pageToken = page.nextPageToken;
      } while (pageToken !== '' && volumes.length < limit);
      return volumes;
    },

    async delete(request) {
      await unary(client.deleteVolume.bind(client), DeleteVolumeRequest.fromPartial(request));
    },

    watch: (volumeId, resumeToken, deadline) =>
      client.watchVolumes(WatchVolumesRequest.fromPartial({ resumeToken, volumeIds: [volumeId] }), metadata, {
        deadline,
      }),
  };
}

type Method<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

function metadataOf({ requestId, project, user, token }: Connection): Metadata {
  const metadata = new Metadata();
  metadata.set(REQUEST_ID, requestId);
  if (project !== undefined) metadata.set(PROJECT_ID, project);
  if (user !== undefined) metadata.set(USER_ID, user);
  if (token !== undefined) metadata.set('x-auth-token', token);
  return metadata;
}
