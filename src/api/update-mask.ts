import type { Violations } from './validation.js';

/** Fields that an update may change: name in the proto → whether the request has a value for it. */
export type Presence = Readonly<Record<string, boolean>>;

/**
 * The fields that an update is to change: those that the mask names, all of them for `*`, and without a mask those that are
 * present (AIP-134). Notes unknown paths, and an update of nothing.
 */
export function fieldsToChange(
  mask: readonly string[] | undefined,
  present: Presence,
  bad: Violations,
): ReadonlySet<string> {
  const known = Object.keys(present);
  const paths = mask ?? [];
  const unknown = paths.filter((path) => path !== '*' && !known.includes(path));
  for (const path of new Set(unknown)) {
    bad.add(
      'update_mask',
      `has no field ${JSON.stringify(path.slice(0, 64))}: ${known.join(', ')} or * may be changed`,
    );
  }
  if (paths.includes('*')) return new Set(known);
  const fields = paths.length > 0 ? paths : known.filter((field) => present[field]);
  if (fields.length === 0)
    bad.add('update_mask', `must name at least one field, or one of them must be given: ${known.join(', ')}`);
  return new Set(fields);
}
