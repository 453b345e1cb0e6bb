import { type StorageProblem as WireProblem, StorageProblemKind } from '../gen/cinder/volume/v3/volume_manager.js';
import type { StorageProblem } from './storage-look.js';

const KINDS: Readonly<Record<StorageProblem['kind'], StorageProblemKind>> = {
  record_without_file: StorageProblemKind.RECORD_WITHOUT_FILE,
  file_of_other_size: StorageProblemKind.FILE_OF_OTHER_SIZE,
  file_without_record: StorageProblemKind.FILE_WITHOUT_RECORD,
  half_made_file_left: StorageProblemKind.HALF_MADE_FILE_LEFT,
};

export function problemToWire({ kind, ...problem }: StorageProblem): WireProblem {
  return { ...problem, kind: KINDS[kind] };
}

/** Undefined for a kind that is not known. */
export function problemFromWire({ kind: wireKind, ...problem }: WireProblem): StorageProblem | undefined {
  const kind = (Object.keys(KINDS) as StorageProblem['kind'][]).find((each) => KINDS[each] === wireKind);
  return kind && { ...problem, kind };
}
