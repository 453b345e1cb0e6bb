import { ACTION_OF, failVolume, type MessageParts, type Work } from '../casts/fail-volume.js';
import { LAST_ID, workFacts, type WorkFacts } from '../db/diagnosis.js';
import { forgetCharges, idleVolume, removeWork, wakeWork } from '../db/repairs.js';
import type { Store } from '../db/store.js';
import { disownWorker } from '../db/workers.js';
import { type Check, checkOfLists, type Suspect } from './check.js';
import { KINDS } from './kinds.js';
import { HALF_WRITTEN, WORK_IN, WORKED_ON, type WorkedOn } from './volumes.js';

export interface WorkCheckParts extends MessageParts {
  readonly store: Store;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
  /** Makes a project's usage in Redis what the records say. Throws QuotaUnavailable. */
  readonly recount: (projectId: string, signal: AbortSignal) => Promise<void>;
}

const STATES: ReadonlySet<string> = new Set<WorkFacts['state']>(['staged', 'ready', 'claimed', 'parked']);
/** Far beyond the longest back-off. */
const LONGEST_REST_MS = 600_000;

/** Rows looked at together. */
const PAGE = 500;

/**
 * Rows of work: none of a dead owner or without a service for longer than two times `service_down_time`, none without an
 * undecided quota while it waits for that, none on a resource that is gone or in another status. Rule: docs/protocols.md §W PROOF.
 */
export function workCheck(parts: WorkCheckParts): Check {
  const { store, downAfterMs } = parts;
  return checkOfLists('work', ['Snapshot', 'Volume'], async (resourceType, { after, until = LAST_ID }) => {
    const rows = await workFacts(store, { resourceType, after, until, limit: PAGE, downAfterMs });
    const suspects = rows.flatMap((row) => {
      const problem = problemOf(row, downAfterMs);
      return problem ? [suspectOf(parts, row, problem)] : [];
    });
    const last = rows.length < PAGE ? undefined : rows.at(-1)?.resourceId;
    return { examined: rows.length, suspects, ...(last !== undefined && { last }) };
  });
}

type Problem = Pick<Suspect, 'kind' | 'description'>;

function problemOf(row: WorkFacts, downAfterMs: number): Problem | undefined {
  const { state, status, method, binary, target, resourceStatus, unchangedMs, restsMs } = row;
  const what = `the ${state} row of ${method}`;
  if (resourceStatus === null) return { kind: 'work_without_resource', description: `${what}: its resource is gone` };
  if (!isExpected(status, resourceStatus, state === 'parked')) {
    const description = `${what} is for a resource in '${status}', which is '${resourceStatus}'`;
    return { kind: 'work_of_other_status', description };
  }
  if (!STATES.has(state)) {
    return { kind: 'work_unreadable', description: `the row of ${method} is '${state}', which no work is` };
  }
  if (state === 'ready' && restsMs > LONGEST_REST_MS) {
    const description = `${what} is not to be sent for ${seconds(restsMs)}, and no work rests so long`;
    return { kind: 'work_unreadable', description };
  }
  if (state === 'staged') {
    if (row.isUnsettled) return undefined;
    const description = `${what} waits for its quota, about which nothing is undecided`;
    return { kind: 'work_without_settlement', description };
  }
  if (state === 'claimed' && row.ownerSilentMs !== null && row.ownerSilentMs < -LONGEST_REST_MS) {
    const description = `${what} has an owner whose heartbeat is ${seconds(-row.ownerSilentMs)} ahead of the clock`;
    return { kind: 'work_unreadable', description };
  }
  const tooLongMs = 2 * downAfterMs;
  const waits = `for ${seconds(unchangedMs)} at ${binary}${target === null ? '' : ` of ${target}`}`;
  if (state === 'claimed' && row.isOrphaned && Math.min(unchangedMs, row.ownerSilentMs ?? Infinity) > tooLongMs) {
    return { kind: 'work_of_dead_owner', description: `${what} stands still ${waits}: its owner is dead` };
  }
  if (state === 'ready' && !row.isServed && unchangedMs > tooLongMs) {
    return { kind: 'work_without_service', description: `${what} waits ${waits}: no such service is alive` };
  }
  return undefined;
}

/** Whether the resource is in the status that the row answers for. Of other statuses only a parked row says something exact. */
function isExpected(status: string, resourceStatus: string, isParked: boolean): boolean {
  if (status === resourceStatus) return true;
  if (!isWorkedOn(status)) return !isParked;
  return status === 'creating' && resourceStatus === 'downloading';
}

function suspectOf(parts: WorkCheckParts, row: WorkFacts, problem: Problem): Suspect {
  const suspect = { ...problem, resource: row.resourceId, sign: `${row.epoch} ${row.state} ${row.revision ?? ''}` };
  const repair = repairOf(parts, row, problem.kind);
  if (repair) return { ...suspect, repair };
  return KINDS[problem.kind].repairable ? { ...suspect, byHand: byHand(row) } : suspect;
}

/** Writes an image over the data of a volume. */
const REIMAGE = 'Reimage';

/** What an operator can do about work that no repair ends. */
function byHand({ resourceType, state, method }: WorkFacts): string {
  if (method === REIMAGE && state !== 'staged') return HALF_WRITTEN;
  return resourceType === 'Volume' && state !== 'staged'
    ? 'look what the volume is; `volume reset-state` sets its status, and ends the work'
    : 'look what the resource is, and remove its row of work from the records by hand';
}

function repairOf(parts: WorkCheckParts, row: WorkFacts, kind: Suspect['kind']): Suspect['repair'] {
  const { store } = parts;
  const { resourceId, revision } = row;
  const unchanged = revision === null ? [] : [idleVolume({ id: resourceId, revision })];
  switch (kind) {
    case 'work_without_resource':
      return async () => {
        await store.apply([removeWork(row)]);
        return 'the row was removed';
      };
    case 'work_of_other_status':
      return async () => {
        await store.apply([removeWork(row), ...unchanged]);
        return `the row was removed; the resource stays '${row.resourceStatus ?? ''}'`;
      };
    case 'work_without_settlement':
      return ended(parts, row, UNDECIDED);
    case 'work_unreadable':
      if (row.state !== 'ready' && row.state !== 'claimed') return ended(parts, row, UNREADABLE);
      return async () => {
        await store.apply([row.state === 'ready' ? wakeWork(row) : { ...disownWorker(row), rows: 1 }]);
        return 'it is sent again';
      };
    default:
      return undefined;
  }
}

/** Ends a volume whose work cannot go on; undefined: there is none, or its status says nothing of the work. */
function ended(parts: WorkCheckParts, row: WorkFacts, reason: string): Suspect['repair'] {
  const { resourceType, resourceId, revision, projectId, resourceStatus } = row;
  if (projectId === null || revision === null || resourceStatus === null || !isWorkedOn(resourceStatus))
    return undefined;
  if (row.method === REIMAGE) return undefined;
  return async (signal) => {
    const work: Work = WORK_IN[resourceStatus];
    const failure = { work, reason, action: ACTION_OF[work], detail: 'UNKNOWN_ERROR' } as const;
    const unchanged = idleVolume({ id: resourceId, revision });
    const end = [removeWork(row), unchanged, forgetCharges(resourceType, resourceId)];
    await parts.store.apply([...end, ...failVolume(parts, row, failure)]);
    await parts.recount(projectId, signal);
    return `the volume was taken out of '${resourceStatus}', and the quota of its project was counted anew`;
  };
}

const UNDECIDED = 'Its quota could not be decided.';
const UNREADABLE = 'The record of the work on it cannot be read.';

function isWorkedOn(status: string): status is WorkedOn {
  return WORKED_ON.some((each) => each === status);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
