import { recordsOfNoBackend } from '../db/backend-records.js';
import type { Store } from '../db/store.js';
import { type Fault, isFault } from '../errors/fault.js';
import {
  type InspectStorageRequest,
  type InspectStorageResponse,
  type RepairStorageRequest,
  type RepairStorageResponse,
  type StorageProblem,
  StorageProblemKind,
} from '../gen/cinder/volume/v3/volume_manager.js';
import type { RequestContext } from '../objects/request-context.js';
import { ChangedMeanwhile, type Check, checkOfLists, NotMended, type Page, type Range, type Suspect } from './check.js';
import { backendsToLookAt } from './backends.js';
import type { FindingKind } from './kinds.js';

/** How the call of a backend is made. */
interface Call {
  /** `host@backend`. */
  readonly target: string;
  /** ms since 1970. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** The part of the volume service's client that is used here. */
export interface InspectingVolumeServices {
  inspectStorage(
    context: RequestContext,
    request: InspectStorageRequest,
    options: Call,
  ): Promise<InspectStorageResponse>;
  repairStorage(context: RequestContext, request: RepairStorageRequest, options: Call): Promise<RepairStorageResponse>;
}

export interface StorageCheckParts {
  readonly store: Store;
  readonly volumeServices: InspectingVolumeServices;
  readonly context: RequestContext;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
  /** ms since 1970. */
  readonly now: () => number;
}

/** Before all names of backends. */
const NO_BACKEND = '';
/** Records of no backend that are told: as many as problems of one that there is. */
const MOST_OF_NONE = 1_000;

/** How long a backend may take to look at all its files, ms. */
const ANSWER_WITHIN_MS = 300_000;

/**
 * Every backend that is up, or that the records name: each of its files has a record there, and each record its file. The
 * volume services look at their own. Rule: docs/protocols.md §W PROOF.
 */
export function storageCheck(parts: StorageCheckParts): Check {
  return checkOfLists(
    'storage',
    async () => [NO_BACKEND, ...(await backendsToLookAt(parts.store, parts.downAfterMs))],
    (backend, range, signal) =>
      backend === NO_BACKEND ? lookAtNone(parts.store) : lookAt(parts, backend, range, signal),
  );
}

/** Volumes without a backend that no status excuses: nobody has a file of theirs to look at. */
async function lookAtNone(store: Store): Promise<Page> {
  const records = await recordsOfNoBackend(store, MOST_OF_NONE);
  const suspects = records.map(({ id, status, revision }): Suspect => ({
    ...{ kind: 'record_without_file', resource: id, sign: String(revision) },
    description: `the volume is '${status}', and its record names no backend`,
  }));
  return { examined: records.length, suspects };
}

async function lookAt(parts: StorageCheckParts, backend: string, range: Range, signal: AbortSignal): Promise<Page> {
  const call: Call = { target: backend, deadline: parts.now() + ANSWER_WITHIN_MS, signal };
  try {
    const { after, until = '' } = range;
    const answer = await parts.volumeServices.inspectStorage(parts.context, { after, until }, call);
    const suspects = answer.problems.flatMap((problem) => suspectsOf(parts, backend, problem));
    return { examined: answer.examinedCount, suspects, ...(answer.last !== '' && { last: answer.last }) };
  } catch (error) {
    const description = `what it stores could not be looked at: ${ofBackend(error, signal).message}`;
    const suspect: Suspect = { kind: 'backend_silent', resource: backend, description, sign: '' };
    return { examined: 0, suspects: [suspect], isBlind: true };
  }
}

const KINDS: ReadonlyMap<StorageProblemKind, FindingKind> = new Map([
  [StorageProblemKind.RECORD_WITHOUT_FILE, 'record_without_file'],
  [StorageProblemKind.FILE_OF_OTHER_SIZE, 'file_of_other_size'],
  [StorageProblemKind.FILE_WITHOUT_RECORD, 'file_without_record'],
  [StorageProblemKind.HALF_MADE_FILE_LEFT, 'half_made_file_left'],
]);

function suspectsOf(parts: StorageCheckParts, backend: string, problem: StorageProblem): readonly Suspect[] {
  const kind = KINDS.get(problem.kind);
  if (!kind) return []; // of a newer volume service
  const { volumeId, pool, epoch, description, sign } = problem;
  const suspect = { kind, resource: volumeId, description: `${backend}#${pool}: ${description}`, sign };
  switch (kind) {
    case 'file_without_record':
      return [{ ...suspect, repair: repairOf(parts, backend, problem, 'the file was moved to the quarantine') }];
    case 'half_made_file_left':
      return [
        {
          ...{ ...suspect, sign: String(epoch) },
          repair: repairOf(parts, backend, problem, 'the file was removed: it never was a volume'),
        },
      ];
    default:
      return [suspect];
  }
}

function repairOf(
  { volumeServices, context, now }: StorageCheckParts,
  target: string,
  problem: StorageProblem,
  done: string,
): NonNullable<Suspect['repair']> {
  return async (signal) => {
    const call = { target, deadline: now() + ANSWER_WITHIN_MS, signal };
    const { repaired } = await volumeServices.repairStorage(context, { problem }, call).catch((error: unknown) => {
      throw new NotMended(ofBackend(error, signal).message);
    });
    if (!repaired) throw new ChangedMeanwhile();
    return done;
  };
}

/** What is wrong with one backend, and does not keep a diagnosis from the others. Throws any other error, and the signal's reason. */
function ofBackend(error: unknown, signal: AbortSignal): Fault {
  signal.throwIfAborted();
  if (!isFault(error) || error.name === 'DatabaseUnavailable') throw error;
  return error;
}
