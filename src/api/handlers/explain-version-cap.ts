import type { ServicesService } from '../../gen/cinder/api/v3/services.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import type { CapExplanation } from '../../rpc/version-cap.js';
import type { Loss } from '../../rpc/version-losses.js';
import { Violations } from '../validation.js';
import { type Ages, versionCapView } from '../views/version-cap-view.js';

/** A client whose cap can be explained. */
export interface CappedClient {
  readonly api: { readonly binary: string };
  explainCap(): Promise<CapExplanation>;
  lossesBelow(cap: CapExplanation['cap']): readonly Loss[];
}

export interface ExplainVersionCapParts extends Ages {
  /** The clients of this process, one a binary. */
  readonly clients: readonly CappedClient[];
}

/** `Services/ExplainVersionCap`: in Cinder a stale row pins everybody, and nobody says which. Throws InvalidInput. */
export function explainVersionCap(
  parts: ExplainVersionCapParts,
): PublicHandler<typeof ServicesService.explainVersionCap> {
  return async ({ binary }) => {
    const clients = parts.clients.filter(({ api }) => binary === '' || api.binary === binary);
    const bad = new Violations();
    if (clients.length === 0) {
      bad.add('binary', `must be one of ${parts.clients.map(({ api }) => api.binary).join(', ')}`);
    }
    bad.check();
    const caps = await Promise.all(
      clients.map(async (client) => {
        const explanation = await client.explainCap();
        return versionCapView(explanation, client.lossesBelow(explanation.cap), parts);
      }),
    );
    return { caps };
  };
}
