import type { ExecutionContext } from 'ava';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import type { VersionedClientOptions } from '#src/rpc/versioned-client.js';
import { internalServer, type InternalServerOptions } from '#src/rpc/versioned-server.js';
import { clientOptions, descriptors, type Installation, MEBIBYTE, rules } from './rpc.js';

/** A volume service's server on a free port, stopped by `t.teardown`. */
export async function volumeServer(
  t: ExecutionContext,
  options: Partial<InternalServerOptions<typeof VolumeManagerService>> = {},
): Promise<ListeningServer> {
  const server = await internalServer({
    address: '127.0.0.1:0',
    maxMessageBytes: MEBIBYTE,
    descriptors,
    rules,
    definition: VolumeManagerService,
    handlers: {},
    report: (error) => t.log(error),
    ...options,
  });
  t.teardown(() => server.stop(1_000));
  return server;
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
