import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';

import { Metadata, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';

import type { CliParts } from '#src/cli/parts.js';
import { runCli } from '#src/cli/program.js';
import type { Fault } from '#src/errors/fault.js';
import {
  Volume,
  VolumeStatus,
  VolumesService,
  type VolumesServer,
  type WatchVolumesRequest,
  type WatchVolumesResponse,
} from '#src/gen/cinder/api/v3/volumes.js';
import { statusOf } from '#src/rpc/faults-on-the-wire.js';

/** How a command ended. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, with an environment, signals and streams of its own. */
export async function cli(argv: readonly string[], parts: Partial<CliParts> = {}): Promise<CliResult> {
  const stdout = new PassThrough({ highWaterMark: 2 ** 24 });
  const stderr = new PassThrough({ highWaterMark: 2 ** 24 });
  const code = await runCli(argv, {
    environment: {},
    hostname: 'node1',
    home: '/nonexistent',
    stdout,
    stderr,
    signals: new EventEmitter(),
    exit: (status) => {
      throw new Error(`exit ${status}`);
    },
    serve: () => Promise.reject(new Error('nothing to serve')),
    migrate: () => Promise.reject(new Error('nothing to migrate')),
    ...parts,
  });
  return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
}

/** A call that the fake API got. */
export interface SeenCall {
  readonly method: string;
  readonly request: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A server of the generated Volumes service whose answers the test gives; a thrown Fault goes out as the product sends it. */
export async function fakeApiFor(
  t: ExecutionContext,
  answers: {
    createVolume?: (request: Parameters<VolumesServer['createVolume']>[0]['request']) => Volume;
    getVolume?: (volumeId: string) => Volume;
    listVolumes?: (pageSize: number, pageToken: string) => { volumes: Volume[]; nextPageToken: string };
    deleteVolume?: (request: Parameters<VolumesServer['deleteVolume']>[0]['request']) => void;
    watchVolumes?: (call: ServerWritableStream<WatchVolumesRequest, WatchVolumesResponse>) => void;
  },
): Promise<{ readonly address: string; readonly seen: SeenCall[] }> {
  const seen: SeenCall[] = [];
  const server = new Server();
  const answer = <Response>(
    method: string,
    call: { readonly request: unknown; readonly metadata: Metadata },
    callback: (error: Partial<ReturnType<typeof statusOf>> | null, response?: Response) => void,
    make: () => Response,
  ): void => {
    seen.push({ method, request: call.request, metadata: call.metadata.getMap() });
    try {
      callback(null, make());
    } catch (fault) {
      callback(statusOf(fault as Fault));
    }
  };
  const missing = (): never => {
    throw new Error('this test gives no such answer');
  };
  const { createVolume = missing, getVolume = missing, listVolumes = missing, deleteVolume = missing } = answers;
  const service: VolumesServer = {
    createVolume: (call, callback) =>
      answer('CreateVolume', call, callback, () => ({ volume: createVolume(call.request) })),
    getVolume: (call, callback) =>
      answer('GetVolume', call, callback, () => ({ volume: getVolume(call.request.volumeId) })),
    listVolumes: (call, callback) =>
      answer('ListVolumes', call, callback, () => listVolumes(call.request.pageSize, call.request.pageToken)),
    deleteVolume: (call, callback) =>
      answer('DeleteVolume', call, callback, () => {
        deleteVolume(call.request);
        return {};
      }),
    watchVolumes: (call) => {
      seen.push({ method: 'WatchVolumes', request: call.request, metadata: call.metadata.getMap() });
      call.sendMetadata(new Metadata());
      answers.watchVolumes?.(call);
    },
    summarizeVolumes: (call, callback) => answer('SummarizeVolumes', call, callback, missing),
    updateVolume: (call, callback) => answer('UpdateVolume', call, callback, missing),
    setVolumeMetadata: (call, callback) => answer('SetVolumeMetadata', call, callback, missing),
    deleteVolumeMetadata: (call, callback) => answer('DeleteVolumeMetadata', call, callback, missing),
  };
  server.addService(VolumesService, service);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  t.teardown(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, seen };
}

/** A volume with what matters to a test. */
export function volume(fields: Partial<Volume> = {}): Volume {
  return Volume.fromPartial({
    id: '7a9c0c8e-0f6b-4d5c-9a31-6f1d6ba1c0f1',
    projectId: 'demo',
    userId: 'ann',
    name: 'first',
    size: 1,
    status: VolumeStatus.AVAILABLE,
    volumeTypeId: 'type-1',
    createdAt: new Date('2026-01-02T03:04:05Z'),
    revision: 1,
    ...fields,
  });
}

function textOf(stream: PassThrough): string {
  return ((stream.read() as Buffer | null) ?? '').toString();
}
