import type { PoolsService } from '../../gen/cinder/api/v3/pools.js';
import type { RequestContext } from '../../objects/request-context.js';
import type { SendOptions } from '../../rpc/versioned-client.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { Violations } from '../validation.js';

/** The part of the scheduler's client that is used here. */
export interface PoolsOfScheduler {
  getPools(
    context: RequestContext,
    filters: ReadonlyMap<string, string>,
    options: SendOptions,
  ): Promise<{
    readonly pools: readonly {
      readonly name: string;
      readonly capabilities?: Record<string, unknown> | undefined;
      readonly oddities: readonly { readonly kind: string; readonly text: string }[];
    }[];
  }>;
}

export interface ListPoolsParts {
  readonly scheduler: PoolsOfScheduler;
}

/** `Pools/ListPools`: what one scheduler knows. Throws InvalidInput, ServiceUnavailable. Rule: cinder/api/contrib/scheduler_stats.py. */
export function listPools({ scheduler }: ListPoolsParts): PublicHandler<typeof PoolsService.listPools> {
  return async ({ detail, name }, { context, deadline, signal }) => {
    const bad = new Violations();
    bad.text('name', name, 0, 255);
    bad.check();
    const filters = new Map(name === '' ? [] : [['name', name]]);
    const { pools } = await scheduler.getPools(context, filters, { deadline, signal });
    return {
      pools: pools.map(({ name: pool, capabilities, oddities }) => ({
        name: pool,
        capabilities: detail ? capabilities : undefined,
        oddities: detail ? [...oddities] : [],
      })),
    };
  };
}
