import { ACTION_OF, failVolume, type MessageParts, type Work } from '../casts/fail-volume.js';
import { LAST_ID, statusesInUse, transientFacts, type TransientFacts, type VolumePlace } from '../db/diagnosis.js';
import { forgetCharges, idleVolume } from '../db/repairs.js';
import type { Store } from '../db/store.js';
import type { RequestContext } from '../objects/request-context.js';
import { VOLUME_STATUSES, type VolumeStatus } from '../objects/volume-status.js';
import { type Check, checkOfLists, type Page, type Suspect } from './check.js';

export interface VolumeCheckParts extends MessageParts {
  readonly store: Store;
  /** On whose behalf a repair writes; the project is the volume's. */
  readonly context: RequestContext;
  /** Makes a project's usage in Redis what the records say. Throws QuotaUnavailable. */
  readonly recount: (projectId: string, signal: AbortSignal) => Promise<void>;
}

/**
 * Statuses in which there must be a row of work, and what that work is. Cinder has more transient ones; nothing here sets
 * them.
 */
export const WORK_IN = {
  creating: 'create',
  downloading: 'create',
  deleting: 'delete',
  error_managing_deleting: 'delete',
  extending: 'extend',
  retyping: 'retype',
  managing: 'manage',
  uploading: 'upload',
  reverting: 'revert',
} as const satisfies Partial<Record<VolumeStatus, Work>>;

/** The statuses alone. */
export const WORKED_ON = Object.keys(WORK_IN) as readonly WorkedOn[];

export type WorkedOn = keyof typeof WORK_IN;

/** List of the volumes in a status that is none; of these a page is told. */
const UNREADABLE = 'unreadable';

/** Statuses that are looked at: more than there are, and enough of those that are none; once these are corrected, the next. */
const MOST_STATUSES = 100;
/** Volumes looked at together. */
const PAGE = 500;
const FIRST: VolumePlace = { createdAt: 0, id: '' };
const LAST: VolumePlace = { createdAt: Number.MAX_SAFE_INTEGER, id: LAST_ID };

/** Volumes in a transient status: each has its row of work; and those in a status that is none. Rule: docs/protocols.md §W PROOF. */
export function volumeCheck(parts: VolumeCheckParts): Check {
  return checkOfLists('volumes', [UNREADABLE, ...WORKED_ON], async (list, { after, until }) => {
    if (list === UNREADABLE) return lookAtUnreadable(parts.store);
    const status = list as WorkedOn; // the other lists are these
    const volumes = await transientFacts(parts.store, {
      ...{ status, limit: PAGE },
      ...{ after: placeOf(after, FIRST), until: placeOf(until ?? '', LAST) },
    });
    const suspects = volumes.filter(({ hasWork }) => !hasWork).map((volume) => suspectOf(parts, volume, status));
    const last = volumes.length < PAGE ? undefined : volumes.at(-1);
    return { examined: volumes.length, suspects, ...(last && { last: `${last.createdAt} ${last.id}` }) };
  });
}

/** Volumes in a status that is none: nobody can say whether there should be work on them. */
async function lookAtUnreadable(store: Store): Promise<Page> {
  const suspects: Suspect[] = [];
  for (const status of ['', ...(await statusesInUse(store, MOST_STATUSES))]) {
    if (isKnown(status) || suspects.length >= PAGE) continue;
    const volumes = await transientFacts(store, { status, limit: PAGE - suspects.length, after: FIRST, until: LAST });
    suspects.push(
      ...volumes.map(({ id, revision }): Suspect => {
        const description = `the volume is '${status}', which no volume is`;
        return { kind: 'status_unreadable', resource: id, description, sign: String(revision) };
      }),
    );
  }
  return { examined: suspects.length, suspects };
}

function isKnown(status: string): boolean {
  return VOLUME_STATUSES.some((each) => each === status);
}

function placeOf(text: string, otherwise: VolumePlace): VolumePlace {
  const [createdAt, id] = text.split(' ');
  return id === undefined ? otherwise : { createdAt: Number(createdAt), id };
}

function suspectOf(parts: VolumeCheckParts, volume: TransientFacts, status: WorkedOn): Suspect {
  const { id, projectId, userId, revision } = volume;
  const work: Work = WORK_IN[status];
  const context = { ...parts.context, projectId, userId };
  const suspect = {
    kind: 'status_without_work',
    resource: id,
    description: `the volume is '${status}', and nobody is at work on it`,
    sign: String(revision),
  } as const;
  if (status === 'downloading' && volume.hasData) return { ...suspect, byHand: HALF_WRITTEN };
  return {
    ...suspect,
    async repair(signal) {
      const failure = { work, reason: LOST, action: ACTION_OF[work], detail: 'UNKNOWN_ERROR' } as const;
      const charges = work === 'create' ? [forgetCharges('Volume', id)] : [];
      await parts.store.apply([
        idleVolume({ id, revision }),
        ...charges,
        ...failVolume(parts, { resourceId: id, context }, failure),
      ]);
      if (work === 'create') await parts.recount(projectId, signal);
      return `the volume was taken out of '${status}'; its owner has a message`;
    },
  };
}

/** What an operator can do about a volume whose data were being replaced: nobody else knows which of them are there. */
export const HALF_WRITTEN =
  'an image was being written over its data: look which of the two is there, and set its status with `volume reset-state`';

const LOST = 'The work was lost, and the status corrected by a diagnosis.';
