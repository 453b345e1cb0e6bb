import { isUuid } from '../objects/ids.js';

/** Resource → amount, in the resource's own unit (a count, or GiB). */
export type Amounts = Readonly<Record<string, number>>;

/** Resources with a limit whatever volume types there are. Rule: cinder/quota.py, VolumeTypeQuotaEngine. */
export const RESOURCES = [
  'volumes',
  'gigabytes',
  'snapshots',
  'backups',
  'backup_gigabytes',
  'groups',
  'per_volume_gigabytes',
] as const;

export type ResourceName = (typeof RESOURCES)[number];

/** The one resource that is a limit of a single request and is not counted. */
export const LIMIT_ONLY: ResourceName = 'per_volume_gigabytes';

/** Resources that exist once more for every volume type. */
export const PER_TYPE = ['volumes', 'gigabytes', 'snapshots'] as const;

export type PerType = (typeof PER_TYPE)[number];

/** Largest amount the engine tracks. Rule: cinder/db/constants.py, MAX_INT. */
export const MAX_AMOUNT = 2_147_483_647;

/** Key of a type's own resource. By id, because a type may be renamed while its volumes are counted. */
export function typeKey(resource: PerType, volumeTypeId: string): string {
  return `${resource}_${volumeTypeId}`;
}

/** Whether it is the key of a resource that is counted: of the project, or of a type by its id. */
export function isCounted(key: string): boolean {
  if (key === LIMIT_ONLY) return false;
  const own = ofType(key);
  return own ? isUuid(own.type) : (RESOURCES as readonly string[]).includes(key);
}

/** What one volume uses. Rule: cinder/quota.py, add_volume_type_opts. */
export function volumeAmounts(volume: { readonly sizeGib: number; readonly volumeTypeId: string }): Amounts {
  return {
    volumes: 1,
    gigabytes: volume.sizeGib,
    [typeKey('volumes', volume.volumeTypeId)]: 1,
    [typeKey('gigabytes', volume.volumeTypeId)]: volume.sizeGib,
  };
}

/** Amounts added up, e.g. of several records in one reservation. */
export function sumOf(amounts: readonly Amounts[]): Amounts {
  const sum: Record<string, number> = {};
  for (const one of amounts) {
    for (const [resource, amount] of Object.entries(one)) sum[resource] = (sum[resource] ?? 0) + amount;
  }
  return sum;
}

/** `gigabytes_<type id>` → `gigabytes_<type name>`, as users know it. A type that is gone keeps its id. */
export function toPublicName(key: string, typeNames: ReadonlyMap<string, string>): string {
  const own = ofType(key);
  return own ? `${own.resource}_${typeNames.get(own.type) ?? own.type}` : key;
}

/** `gigabytes_<type name>` → `gigabytes_<type id>`; undefined when there is no such resource. */
export function toKey(name: string, typeIds: ReadonlyMap<string, string>): string | undefined {
  if ((RESOURCES as readonly string[]).includes(name)) return name;
  const own = ofType(name);
  const id = own && typeIds.get(own.type);
  return own && id !== undefined ? typeKey(own.resource, id) : undefined;
}

/**
 * Amounts by resource name; negative ones are what a reservation gives back at its commit. Throws RangeError on what cannot
 * be counted, which is a mistake of the caller.
 */
export function sortedAmounts(amounts: Amounts): [string, number][] {
  const entries = Object.entries(amounts).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) throw new RangeError('no amounts');
  for (const [resource, amount] of entries) {
    const good = Number.isInteger(amount) && Math.abs(amount) <= MAX_AMOUNT;
    if (!good) throw new RangeError(`${resource}: ${amount} is not an amount`);
  }
  return entries;
}

function ofType(key: string): { resource: PerType; type: string } | undefined {
  const resource = PER_TYPE.find((name) => key.startsWith(`${name}_`));
  return resource && { resource, type: key.slice(resource.length + 1) };
}
