import type { MethodDefinition } from '@grpc/grpc-js';

/** A method as ts-proto's service definitions hold it, whatever its messages. */
export interface AnyMethod {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (value: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (value: Buffer) => unknown;
}

/** A service as ts-proto generates it, e.g. `VolumesService`. */
export type AnyService = Readonly<Record<string, AnyMethod>>;

export type RequestOf<M extends AnyMethod> = ReturnType<M['requestDeserialize']>;
export type ResponseOf<M extends AnyMethod> = ReturnType<M['responseDeserialize']>;

/** The RPC's own name of a method, e.g. `CreateVolume` for `createVolume`. */
export type RpcName<S extends AnyService> = Capitalize<keyof S & string>;
export type MethodOf<S extends AnyService, N extends RpcName<S>> = S[Uncapitalize<N>];

/** Full name of the service, `package.Service`. Throws for a service without methods. */
export function serviceNameOf(service: AnyService): string {
  const method = Object.values(service)[0];
  if (!method) throw new Error('a service without methods has no name');
  return method.path.slice(1, method.path.lastIndexOf('/'));
}

/** `/package.Service/Method` → `Method`. */
export function methodNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Requests are decoded and responses encoded by us, after the checks and within the one place that answers errors. */
export function asBytes(method: AnyMethod): MethodDefinition<Buffer, Buffer> {
  return {
    path: method.path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}

function identity(bytes: Buffer): Buffer {
  return bytes;
}
