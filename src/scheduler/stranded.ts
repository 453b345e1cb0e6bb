import { createVolumeOnScheduler, readCreateVolumeOnVolume } from '../casts/cast-messages.js';
import { appendVolumeEvent } from '../db/events.js';
import { RowCountMismatch, type Store } from '../db/store.js';
import { unplaceVolume } from '../db/volume-transitions.js';
import { findStranded, handOverWorker, type OrphanedWorker, type ReadyWorker, takeOverWorker } from '../db/workers.js';
import type { Log } from '../log/log.js';

/** Rows taken back in one round. */
const ROUND = 64;

export interface StrandedOptions {
  readonly store: Store;
  /** Heartbeat age at which a backend counts as down, ms. */
  readonly downAfterMs: number;
  /** Our incarnation. */
  readonly owner: string;
  /** Sends a row that was just made ready; best effort. */
  readonly send: (cast: ReadyWorker) => void;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** @default 1000 */
  readonly intervalMs?: number;
}

/** A loop that can be ended. */
export interface Rounds {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Takes creations back from backends that are down while others are alive, and has them placed anew; the scheduler's flow
 * decides whether attempts are left. Deletions wait for their backend. Rule: docs/protocols.md §W TAKEOVER.
 */
export function takeBackStranded(options: StrandedOptions): Rounds {
  const intervalMs = options.intervalMs ?? 1_000;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();
  let stopped = false;
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      round = once(options)
        .catch((error: unknown) => options.log.warn('stranded work cannot be looked for', { error }))
        .then(schedule);
    }, intervalMs);
  };
  return {
    start: schedule,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}

async function once(options: StrandedOptions): Promise<void> {
  const { store, downAfterMs, log } = options;
  const stranded = await findStranded(store, { method: 'CreateVolume', downAfterMs, limit: ROUND });
  for (const row of stranded) {
    try {
      await takeBack(options, row);
      log.info('a volume goes to another backend: its own is down', { resourceId: row.resourceId, target: row.target });
    } catch (error) {
      if (!(error instanceof RowCountMismatch)) throw error; // else somebody was faster
    }
  }
}

async function takeBack({ store, owner, send }: StrandedOptions, row: OrphanedWorker): Promise<void> {
  const { volume, requestSpec, filterProperties } = readCreateVolumeOnVolume(row.message.payload);
  const { retry } = filterProperties;
  const message = createVolumeOnScheduler({
    volume: { ...volume, host: null },
    ...(requestSpec && { requestSpec }),
    filterProperties: {
      ...filterProperties,
      ...(retry && { retry: { ...retry, exc: [`${row.target ?? ''} is down`] } }),
    },
  });
  const ours = { ...row, epoch: row.epoch + 1, owner };
  await store.apply([
    { ...takeOverWorker(row, { owner, serviceId: null }), rows: 1 },
    unplaceVolume(row.resourceId),
    appendVolumeEvent({ volumeId: row.resourceId, type: 'volume.create.reschedule', requestId: row.context.requestId }),
    handOverWorker(ours, { status: 'creating', target: null, message }),
  ]);
  send({ ...row, epoch: row.epoch + 2, target: null, message, sends: 1, status: 'creating' });
}
