import { EventEmitter } from 'node:events';
import { PassThrough, Readable } from 'node:stream';

import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition as GrpcService,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';

import type { CliParts } from '#src/cli/parts.js';
import { runCli } from '#src/cli/program.js';
import type { MethodDefinition, Partially, ServiceDefinition } from '#src/client/methods.js';
import { SERVICES } from '#src/client/services.js';
import type { Fault } from '#src/errors/fault.js';
import { VolumeType } from '#src/gen/cinder/api/v3/volume_types.js';
import { Volume, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { statusOf } from '#src/rpc/faults-on-the-wire.js';

/** How a command ended. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command line works with, of this test's own, and what it has written since it was last asked. */
export function cliParts(own: Partial<CliParts> = {}): {
  readonly parts: CliParts;
  readonly stdout: () => string;
  readonly stderr: () => string;
} {
  const stdout = new PassThrough({ highWaterMark: 2 ** 24 });
  const stderr = new PassThrough({ highWaterMark: 2 ** 24 });
  const parts: CliParts = {
    environment: {},
    hostname: 'node1',
    home: '/nonexistent',
    stdin: Readable.from([]),
    stdout,
    stderr,
    signals: new EventEmitter(),
    exit: (status) => {
      throw new Error(`exit ${status}`);
    },
    serve: () => Promise.reject(new Error('nothing to serve')),
    migrate: () => Promise.reject(new Error('nothing to migrate')),
    ...own,
  };
  return { parts, stdout: () => textOf(stdout), stderr: () => textOf(stderr) };
}

/** Runs a command line in this process, with an environment, signals and streams of its own. */
export async function cli(argv: readonly string[], own: Partial<CliParts> = {}): Promise<CliResult> {
  const { parts, stdout, stderr } = cliParts(own);
  const code = await runCli(argv, parts);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** A call that the fake API got. */
export interface SeenCall {
  readonly method: string;
  readonly request: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
}

type Intersection<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;
type Methods = Intersection<(typeof SERVICES)[keyof typeof SERVICES]['methods']>;
type Decoded<T> = T extends { decode(bytes: never): infer D } ? D : never;
type Answer<M extends MethodDefinition> = M['responseStream'] extends true
  ? (call: ServerWritableStream<Decoded<M['requestType']>, Partially<Decoded<M['responseType']>>>) => void
  : (request: Decoded<M['requestType']>) => Partially<Decoded<M['responseType']>>;

/** What the fake API answers, by the RPC's name; a thrown Fault goes out as the product sends it. */
export type Answers = { readonly [M in keyof Methods]?: Answer<Methods[M]> };

/** A server of the whole public API whose answers the test gives. An RPC without an answer is UNIMPLEMENTED. */
export async function fakeApiFor(
  t: ExecutionContext,
  answers: Answers,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<{ readonly address: string; readonly seen: SeenCall[] }> {
  const seen: SeenCall[] = [];
  const server = new Server();
  for (const service of Object.values<ServiceDefinition>(SERVICES)) {
    const methods = Object.entries(service.methods);
    const wire = methods.map(([key, method]) => [key, wireOf(service, method)] as const);
    const handlers = methods.flatMap(([key, method]) => {
      const answer = (answers as Record<string, ((given: unknown) => unknown) | undefined>)[key];
      return answer === undefined ? [] : [[key, handlerOf(method, answer, seen)] as const];
    });
    server.addService(Object.fromEntries(wire), Object.fromEntries(handlers));
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  t.teardown(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, seen };
}

/** Generated message types take what they made only; the compiler has checked the answers above. */
interface Codec {
  fromPartial(message: unknown): unknown;
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

const codecOf = (messageType: unknown): Codec => messageType as Codec;

function wireOf({ fullName }: ServiceDefinition, method: MethodDefinition): GrpcService[string] {
  const [request, response] = [codecOf(method.requestType), codecOf(method.responseType)];
  return {
    path: `/${fullName}/${method.name}`,
    requestStream: false,
    responseStream: method.responseStream,
    requestSerialize: (message: unknown) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (message: unknown) => Buffer.from(response.encode(response.fromPartial(message)).finish()),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  };
}

function handlerOf(
  { name, responseStream }: MethodDefinition,
  answer: (given: unknown) => unknown,
  seen: SeenCall[],
): UntypedHandleCall {
  const see = (call: { readonly request: unknown; readonly metadata: Metadata }): void =>
    void seen.push({ method: name, request: call.request, metadata: call.metadata.getMap() });
  if (responseStream) {
    return (call: ServerWritableStream<unknown, unknown>) => {
      see(call);
      call.sendMetadata(new Metadata());
      answer(call);
    };
  }
  return (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => {
    see(call);
    try {
      callback(null, answer(call.request));
    } catch (fault) {
      callback(statusOf(fault as Fault));
    }
  };
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

/** A volume type with what matters to a test; the type of `volume()`. */
export function volumeType(fields: Partial<VolumeType> = {}): VolumeType {
  return VolumeType.fromPartial({
    id: volume().volumeTypeId,
    name: 'plain',
    isPublic: true,
    createdAt: new Date('2026-01-02T03:04:05Z'),
    ...fields,
  });
}

function textOf(stream: PassThrough): string {
  return ((stream.read() as Buffer | null) ?? '').toString();
}
