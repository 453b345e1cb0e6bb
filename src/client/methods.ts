/** A message type as ts-proto generates it. */
interface MessageType {
  encode(message: never): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromPartial(message: never): unknown;
}

/** A method as a generated definition holds it. */
export interface MethodDefinition {
  /** The RPC's own name, e.g. `CreateVolume`. */
  readonly name: string;
  readonly requestType: MessageType;
  readonly requestStream: boolean;
  readonly responseType: MessageType;
  readonly responseStream: boolean;
}

/** A service as ts-proto generates it, e.g. `VolumesDefinition`. */
export interface ServiceDefinition {
  /** `package.Service`. */
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

/** How one call is made. */
export interface CallOptions {
  /** How long the answer may take, retries included, ms. A stream lives until it is left unless this is given. @default the client's */
  readonly timeoutMs?: number | undefined;
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** `req-<…>`, to find the call in the services' logs. @default a new one */
  readonly requestId?: string | undefined;
}

/** How a call is made that changes something. */
export interface MutationOptions extends CallOptions {
  /** Repeating a call under its key has no second effect. @default a new one, so that the client itself may retry */
  readonly idempotencyKey?: string | undefined;
}

/** The messages of a stream. It is to be read once; leaving the loop cancels it. */
export interface ResponseStream<T> extends AsyncIterable<T> {
  /** The response headers; settles when the stream has begun. Throws CinderError. */
  readonly opened: Promise<ReadonlyMap<string, string>>;
  /** Ends it, read or not. Safe to repeat. */
  cancel(): void;
}

/** A request as one writes it: what is absent has its default. */
export type Partially<T> = T extends Date | Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer E)[]
    ? readonly Partially<E>[]
    : T extends Map<infer K, infer V>
      ? ReadonlyMap<K, V>
      : T extends object
        ? { readonly [K in keyof T]?: Partially<T[K]> | undefined }
        : T;

type RequestOf<M extends MethodDefinition> = ReturnType<M['requestType']['decode']>;
type ResponseOf<M extends MethodDefinition> = ReturnType<M['responseType']['decode']>;
type OptionsOf<M extends MethodDefinition> = 'idempotencyKey' extends keyof RequestOf<M>
  ? MutationOptions
  : CallOptions;

/** A method of a client. Throws CinderError. */
export type Method<M extends MethodDefinition> = M['requestStream'] extends true
  ? never
  : (
      request: Partially<RequestOf<M>>,
      options?: OptionsOf<M>,
    ) => M['responseStream'] extends true ? ResponseStream<ResponseOf<M>> : Promise<ResponseOf<M>>;

/** A service as its caller sees it: one method an RPC. */
export type ServiceClient<S extends ServiceDefinition> = {
  readonly [M in keyof S['methods']]: Method<S['methods'][M]>;
};

/** Whether a repetition of the call can be told from a second call. */
export function takesIdempotencyKey({ requestType }: MethodDefinition): boolean {
  return 'idempotencyKey' in (requestType.decode(new Uint8Array()) as object);
}
