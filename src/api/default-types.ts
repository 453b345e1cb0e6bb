import type { VolumeType } from '../objects/volume-type.js';

/** A change of a default is seen within this time, as one of a limit is, ms. */
const MAX_AGE_MS = 2_000;
/** Projects that are remembered. */
const CAPACITY = 10_000;

/** The types of volumes that name none, by project. */
export interface DefaultTypes {
  /** At most 2 s old. */
  of(projectId: string): Promise<VolumeType>;
  /** Makes a change by this process count at once. */
  forget(): void;
}

/** Saves the query for the default type of a project that asks again and again. A failed reading is not remembered. */
export function defaultTypes(
  read: (projectId: string) => Promise<VolumeType>,
  now: () => number = () => performance.now(),
): DefaultTypes {
  const known = new Map<string, { readonly type: Promise<VolumeType>; readonly until: number }>();
  return {
    of(projectId) {
      const remembered = known.get(projectId);
      if (remembered && now() < remembered.until) return remembered.type;
      const entry = { type: read(projectId), until: now() + MAX_AGE_MS };
      known.delete(projectId);
      if (known.size >= CAPACITY) known.delete(known.keys().next().value ?? '');
      known.set(projectId, entry);
      entry.type.catch(() => {
        if (known.get(projectId) === entry) known.delete(projectId);
      });
      return entry.type;
    },
    forget: () => known.clear(),
  };
}
