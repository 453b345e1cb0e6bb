import type { ExecutionContext } from 'ava';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import { type CastDispatcher, CLAIMED } from '#src/rpc/casts.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import { type AnyService, methodNameOf } from '#src/rpc/service-definition.js';
import type { VersionedClientOptions } from '#src/rpc/versioned-client.js';
import { type InternalCall, type InternalHandlers, type InternalServerOptions } from '#src/rpc/versioned-server.js';
import { clientOptions, type Installation, serverOf } from './rpc.js';

/** A volume service's server; see `serverOf`. */
export function volumeServer(
  t: ExecutionContext,
  options: Partial<InternalServerOptions<typeof VolumeManagerService>> = {},
): Promise<ListeningServer> {
  return serverOf(t, VolumeManagerService, options);
}

/** A client of the volume services in an installation, closed by `t.teardown`. */
export function volumeClient(
  t: ExecutionContext,
  installation: Installation,
  options: Partial<VersionedClientOptions> = {},
): VolumeClient {
  const client = new VolumeClient(clientOptions(installation, options));
  t.teardown(() => client.close());
  return client;
}

/** One request as a server got it, whichever way it came. */
export interface Heard {
  readonly method: string;
  readonly version: string;
  readonly target: string;
  /** The decoded request. */
  readonly request: Readonly<Record<string, unknown>>;
}

/**
 * What a server of an API needs to take every request and remember it. `answers`: what a method says, by its RPC's name; the
 * rest says nothing.
 */
export function hearing<S extends AnyService>(
  definition: S,
  answers: Readonly<Record<string, object>> = {},
): { readonly heard: Heard[]; readonly handlers: InternalHandlers<S>; readonly casts: CastDispatcher } {
  const heard: Heard[] = [];
  const handlers = Object.fromEntries(
    Object.entries(definition).map(([key, { path }]) => {
      const method = methodNameOf(path);
      const handle = async (request: Heard['request'], { version, target }: InternalCall): Promise<object> => {
        heard.push({ method, version, target, request });
        return answers[method] ?? definition[key]?.responseDeserialize(Buffer.alloc(0)) ?? {};
      };
      return [key, handle];
    }),
  ) as unknown as InternalHandlers<S>;
  const decode = (method: string, args: Buffer): Heard['request'] =>
    definition[method.charAt(0).toLowerCase() + method.slice(1)]?.requestDeserialize(args) as Heard['request'];
  return {
    heard,
    handlers,
    casts: {
      deliver: async (some) => {
        for (const { method, version, target, args } of some)
          heard.push({ method, version, target, request: decode(method, args) });
        return some.map(() => CLAIMED);
      },
    },
  };
}
