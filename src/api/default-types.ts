import type { VolumeType } from '../objects/volume-type.js';

/** A change of a default is seen within this time, as one of a limit is, ms. */
const MAX_AGE_MS = 2_000;
/** Projects that are remembered. */
const CAPACITY = 10_000;

/** Saves the query for the default type of a project that asks again and again. A failed reading is not remembered. */
export function defaultTypes(
  read: (projectId: string) => Promise<VolumeType>,
  now: () => number = () => performance.now(),
): (projectId: string) => Promise<VolumeType> {
  const known = new Map<string, { readonly type: Promise<VolumeType>; readonly until: number }>();
  return (projectId) => {
    const remembered = known.get(projectId);
    if (remembered && now() < remembered.until) return remembered.type;
    const type = read(projectId);
    known.delete(projectId);
    if (known.size >= CAPACITY) known.delete(known.keys().next().value ?? '');
    known.set(projectId, { type, until: now() + MAX_AGE_MS });
    type.catch(() => known.delete(projectId));
    return type;
  };
}
