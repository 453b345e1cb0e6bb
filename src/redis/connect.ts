import { deadlineIn, isOver, pause } from '../time/deadline.js';
import { ClusterConnection } from './cluster-connection.js';
import { type Access, type Address, type Endpoint, endpointOf } from './endpoint.js';
import { type ConnectionOptions, ServerConnection } from './server-connection.js';

/** How to get in, and how patient we are. */
export interface RedisConnectionOptions extends ConnectionOptions {
  /** How long the first connection may take, ms. @default 10000 */
  readonly connectTimeoutMs?: number;
  /** @default without a password, in plain text */
  readonly access?: Access;
}

/** Where one server is: `redis://…`, `rediss://…`, the path of a unix socket; or who knows where it is. */
export type ServerPlace = { readonly url: string } | { readonly endpoint: Endpoint };

/**
 * Connects to one server, or to the primary that Sentinels name, and waits until it is usable. Throws when it does not
 * answer in time, is older than Redis 7.0, or may evict keys. Afterwards outages are waited for, call by call, up to each
 * call's own deadline.
 */
export async function connectRedis(options: RedisConnectionOptions & ServerPlace): Promise<ServerConnection> {
  const { endpoint, access } = 'url' in options ? endpointOf(options.url, options.access) : given(options);
  return usable(new ServerConnection(endpoint, access, options), options);
}

/** Connects to a cluster by some of its nodes, and waits until every slot has a usable primary. Throws as `connectRedis`. */
export async function connectCluster(
  options: RedisConnectionOptions & { readonly nodes: readonly Address[] },
): Promise<ClusterConnection> {
  const cluster = new ClusterConnection(options.nodes, options.access ?? {}, options);
  return usable(cluster, options, () => cluster.look());
}

function given({ endpoint, access = {} }: RedisConnectionOptions & { readonly endpoint: Endpoint }) {
  return { endpoint, access };
}

async function usable<C extends ServerConnection | ClusterConnection>(
  connection: C,
  { connectTimeoutMs = 10_000 }: RedisConnectionOptions,
  look: () => Promise<void> = () => Promise.resolve(),
): Promise<C> {
  const deadline = deadlineIn(connectTimeoutMs);
  while (!connection.usable && connection.hopeless === undefined && !isOver(deadline)) {
    await look();
    await pause(5, deadline);
  }
  if (connection.usable) return connection;
  const reason = connection.hopeless ?? connection.trouble() ?? 'it cannot be reached';
  await connection.close();
  throw new Error(`Redis cannot be used: ${reason}`);
}
