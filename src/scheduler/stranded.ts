import { createVolumeOnScheduler, type OwnWords, readCreateVolumeOnVolume, worded } from '../casts/cast-messages.js';
import { type Failure, failVolume, type MessageParts } from '../casts/fail-volume.js';
import { causeInLog } from '../casts/reason-for-owner.js';
import { appendVolumeEvent } from '../db/events.js';
import { isFault } from '../errors/fault.js';
import { RowCountMismatch, type Step, type Store } from '../db/store.js';
import { unplaceVolume } from '../db/volume-transitions.js';
import { deleteWorker, handOverWorker, takeOverWorker } from '../db/worker-claims.js';
import type { CastMessage, ReadyWorker } from '../db/worker-row.js';
import { findStranded, type OrphanedWorker } from '../db/worker-search.js';
import type { Log } from '../log/log.js';
import { type Rounds, rounds } from '../time/rounds.js';

/** Rows looked at in one round. */
const ROUND = 64;

export interface StrandedOptions extends MessageParts, OwnWords {
  readonly store: Store;
  /** Heartbeat age at which a backend counts as down, ms. */
  readonly downAfterMs: number;
  /** `cleanup_give_up_time`: how long a copy waits for the backend of its source, ms. */
  readonly giveUpAfterMs: number;
  /** Our incarnation. */
  readonly owner: string;
  /** `scheduler_max_attempts`; 1: what is stranded is not placed anew. */
  readonly maxAttempts: number;
  /** Whether we understand all of a payload for a volume service, by the lowest version that does. @default everything */
  readonly knows?: (payloadVersion: string) => boolean;
  /** Sends a row that was just made ready; best effort. */
  readonly send: (cast: ReadyWorker) => void;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** @default 1000 */
  readonly intervalMs?: number;
}

/**
 * Takes creations back from backends that are down while others are alive, and has them placed anew; the scheduler's flow
 * decides whether attempts are left. One that may be placed only once, or that keeps no account of its attempts, ends in
 * `error`; so does a copy that has waited for the backend of its source for too long. What a newer version has put into words
 * is left to it: in our words it would lose what we do not know. Rule: docs/protocols.md §W TAKEOVER;
 * cinder/scheduler/filter_scheduler.py, `_populate_retry`.
 */
export function takeBackStranded(options: StrandedOptions): Rounds {
  let skip = 0; // what is left where it is does not stand in the way of what can be taken
  return rounds({
    intervalMs: options.intervalMs ?? 1_000,
    async round() {
      const { left, isMore } = await once(options, skip);
      skip = isMore ? skip + left : 0;
      return isMore;
    },
    onError: (error) => options.log.warn('stranded work cannot be looked for', { error }),
  });
}

async function once(
  options: StrandedOptions,
  skip: number,
): Promise<{ readonly left: number; readonly isMore: boolean }> {
  const { store, downAfterMs, giveUpAfterMs, knows } = options;
  let left = 0;
  const query = { method: 'CreateVolume', downAfterMs, sourcePatienceMs: giveUpAfterMs, limit: ROUND, skip };
  const stranded = await findStranded(store, query);
  for (const row of stranded) {
    if (knows && !knows(row.message.payloadVersion)) {
      left += 1;
      continue;
    }
    try {
      await takeBack(options, row);
    } catch (error) {
      if (isFault(error)) throw error; // no database, no next row
      left += 1;
      if (error instanceof RowCountMismatch) continue; // somebody was faster
      options.log.warn('stranded work cannot be taken back', { resourceId: row.resourceId, error });
    }
  }
  return { left, isMore: stranded.length === ROUND };
}

async function takeBack(options: StrandedOptions, row: OrphanedWorker): Promise<void> {
  const { store, owner, send, log } = options;
  const { resourceId, target, context, damage } = row;
  if (damage !== undefined) log.warn('a row of work is damaged', { resourceId, damage });
  const ours = { ...row, epoch: row.epoch + 1, owner };
  const taken: Step = { ...takeOverWorker(row, { owner, serviceId: null }), rows: 1 };
  const giveUp = (failure: Failure): Promise<unknown> =>
    store.apply([taken, ...failVolume(options, row, failure), deleteWorker(ours)]);
  const message = anew(row, options);
  if (message instanceof Error) {
    log.warn('a volume on a backend that is down is given up: its work cannot be read', { resourceId, error: message });
    await giveUp(unreadable(context.requestId));
    return;
  }
  if (message === 'only once') {
    log.warn('a volume on a backend that is down is given up: it may be placed only once', { resourceId, target });
    await giveUp(PLACED_ONCE);
    return;
  }
  if (message === 'nowhere else') {
    log.warn('a copy is given up: the backend of its source has been down for too long', { resourceId, target });
    await giveUp(SOURCE_AWAY);
    return;
  }
  await store.apply([
    taken,
    ...unplaceVolume(resourceId),
    appendVolumeEvent({ volumeId: resourceId, type: 'volume.create.reschedule', requestId: context.requestId }),
    handOverWorker(ours, { status: 'creating', target: null, message }),
  ]);
  log.info('a volume goes to another backend: its own is down', { resourceId, target });
  send({ ...row, epoch: row.epoch + 2, target: null, message, sends: 1, status: 'creating' });
}

/** The message to the scheduler, or why there can be none. */
function anew(
  { message, target }: OrphanedWorker,
  options: StrandedOptions,
): CastMessage | 'only once' | 'nowhere else' | Error {
  try {
    const { volume, requestSpec, filterProperties, allowReschedule } = readCreateVolumeOnVolume(message.payload);
    const { retry } = filterProperties;
    if (requestSpec?.resourceBackend) return 'nowhere else';
    if (options.maxAttempts === 1 || !retry || !allowReschedule) return 'only once';
    return worded(
      options,
      createVolumeOnScheduler({
        volume: { ...volume, host: null },
        ...(requestSpec && { requestSpec }),
        filterProperties: { ...filterProperties, retry: { ...retry, exc: [`${target ?? ''} is down`] } },
      }),
    );
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const PLACED_ONCE: Failure = {
  work: 'create',
  reason: 'Its storage went down before the volume was made, and it may not be placed anew.',
  action: 'SCHEDULE_ALLOCATE_VOLUME',
  detail: 'NO_BACKEND_AVAILABLE',
};

const SOURCE_AWAY: Failure = {
  work: 'create',
  reason: 'The storage of its source has been down for too long.',
  action: 'SCHEDULE_ALLOCATE_VOLUME',
  detail: 'NO_BACKEND_AVAILABLE',
};

/** A payload that nobody can read is never tried twice, and does not keep the others. */
function unreadable(requestId: string): Failure {
  return {
    work: 'create',
    reason: causeInLog(requestId),
    action: 'SCHEDULE_ALLOCATE_VOLUME',
    detail: 'UNKNOWN_ERROR',
  };
}
