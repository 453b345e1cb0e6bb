import type { Config } from '../config/schema.js';
import { MOST_PURGED, purge, type Purged, type Retention } from '../db/purge.js';
import type { Store } from '../db/store.js';
import type { Log } from '../log/log.js';
import { rounds } from '../time/rounds.js';

export interface PurgingOptions {
  readonly store: Store;
  readonly retention: Retention;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Between two rounds, ms. @default 600000 */
  readonly intervalMs?: number;
  /** Until the next round when one took as much as it may, ms: there is more. @default 1000 */
  readonly moreMs?: number;
  /** @default what purges the records */
  readonly round?: typeof purge;
}

const DAY_MS = 86_400_000;

/** How long records are kept, as an operator says it. */
export function retentionOf({
  retentionDays,
  idempotencyRetentionMs,
}: Pick<Config, 'retentionDays' | 'idempotencyRetentionMs'>): Retention {
  const keptMs = retentionDays * DAY_MS;
  return { deletedVolumesMs: keptMs, eventsMs: keptMs, idempotencyMs: idempotencyRetentionMs };
}

/**
 * Purges the records at intervals, and again and again while there is more than one round takes: a busy installation makes more
 * events in an interval than that. Answers how to stop it, which ends with the batch under way.
 */
export function purging(options: PurgingOptions): () => Promise<void> {
  const { store, retention, log, intervalMs = 600_000, moreMs = 1_000, round = purge } = options;
  const stopping = new AbortController();
  const purges = rounds({
    ...{ intervalMs, moreMs },
    async round() {
      const purged = await round(store, retention, stopping.signal);
      log.info('purged', { ...purged });
      return !isAll(purged);
    },
    onError: (error) => log.warn('nothing could be purged', { error }),
  });
  purges.start();
  return async () => {
    stopping.abort();
    await purges.stop();
  };
}

function isAll(purged: Purged): boolean {
  return Object.values(purged).every((count: number) => count < MOST_PURGED);
}
