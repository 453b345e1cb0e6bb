import { knowsAs } from '../casts/as-version.js';
import type { Log } from '../log/log.js';
import { sweepClaims } from '../scheduler/claim-sweep.js';
import type { Claims } from '../scheduler/claims.js';
import { parkForsaken } from '../scheduler/forsaken-deletions.js';
import { takeBackStranded } from '../scheduler/stranded.js';
import type { Rounds } from '../time/rounds.js';
import type { Foundation } from './foundation.js';

/** What a scheduler does unasked, again and again: it goes after work and claims that nobody is at any more. */
export function schedulerRounds(
  parts: Pick<Foundation, 'config' | 'store' | 'sender' | 'volume' | 'inOwnWords'> & { readonly log: Log },
  { owner, claims }: { readonly owner: string; readonly claims: Claims | undefined },
): Rounds {
  const { config, store, sender, log } = parts;
  const common = { store, log, downAfterMs: config.serviceDownTimeMs };
  const forLostWork = {
    ...common,
    messageTtlMs: config.messageTtlMs,
    giveUpAfterMs: config.cleanupGiveUpTimeMs,
    owner,
  };
  const all = [
    takeBackStranded({
      ...forLostWork,
      maxAttempts: config.schedulerMaxAttempts,
      knows: knowsAs(parts.volume.own),
      send: (cast) => sender.send(cast),
      inOwnWords: parts.inOwnWords,
    }),
    parkForsaken(forLostWork),
    ...(claims ? [sweepClaims({ ...common, claims, reportIntervalMs: config.backendStatsPollingIntervalMs })] : []),
  ];
  return {
    start() {
      for (const rounds of all) rounds.start();
    },
    async stop() {
      for (const rounds of all) await rounds.stop();
    },
  };
}
