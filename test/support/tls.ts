import { ChannelCredentials, type Client } from '@grpc/grpc-js';
import { HealthCheckRequest, HealthService } from '#src/gen/grpc/health/v1/health.js';
import type { Authority } from './certificates.js';
import { callBare } from './rpc.js';

/** What any gRPC client has: an authority to believe, and perhaps a certificate by another. */
export function believing(root: Authority, own?: Authority): ChannelCredentials {
  const mine = own?.issue();
  return ChannelCredentials.createSsl(
    Buffer.from(root.cert),
    mine ? Buffer.from(mine.key) : null,
    mine ? Buffer.from(mine.cert) : null,
  );
}

/** For clients whose handshake is what matters: equal credentials would share a connection. */
export const OWN_CONNECTION = { 'grpc.use_local_subchannel_pool': 1 } as const;

/** How a health check ends; `refused`: before it became a call. */
export async function healthBy(client: Client): Promise<string> {
  const { error } = await callBare(client, HealthService.check, HealthCheckRequest.create());
  if (!error) return 'OK';
  return error.details.startsWith('No connection established') ? 'refused' : error.details;
}
