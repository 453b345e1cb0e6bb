import type { ExecutionContext } from 'ava';
import { type CinderClient, connect, type ConnectOptions } from '#src/client/index.js';

/** A client as users have it, of a project's member, closed by `t.teardown`. */
export function clientFor(
  t: Pick<ExecutionContext, 'teardown'>,
  { address }: { readonly address: string },
  options: Partial<ConnectOptions> = {},
): CinderClient {
  const client = connect({ address, project: 'project-1', timeoutMs: 20_000, ...options });
  t.teardown(() => client.close());
  return client;
}
