/** Names of files: made only from our own UUIDs and numbers, so that no name leads out of its folder. */

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const POOL = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
const VOLUME = /^volume-([0-9a-f-]{36})$/;
const QUARANTINED = /^volume-([0-9a-f-]{36})\.[1-9][0-9]{0,15}$/;
const HALF_MADE = /^\.volume-([0-9a-f-]{36})\.([1-9][0-9]{0,15})$/;

/** `volume-<id>`. Throws on anything but a lower-case UUID. */
export function volumeName(id: string): string {
  return `volume-${checked(id)}`;
}

/** `.volume-<id>.<epoch>`, the name of a volume on its way. */
export function halfMadeName(id: string, epoch: number): string {
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new TypeError(`not an epoch: ${epoch}`);
  return `.volume-${checked(id)}.${epoch}`;
}

/** What a name says; undefined for files that are not ours. */
export function readName(name: string): { readonly id: string; readonly epoch?: number } | undefined {
  const [, whole] = VOLUME.exec(name) ?? [];
  if (whole !== undefined && UUID.test(whole)) return { id: whole };
  const [, id, epoch] = HALF_MADE.exec(name) ?? [];
  return id !== undefined && UUID.test(id) ? { id, epoch: Number(epoch) } : undefined;
}

/** `volume-<id>.<nth>`, the name of a volume that was put away for the `nth` time. */
export function quarantinedName(id: string, nth: number): string {
  return `${volumeName(id)}.${nth}`;
}

/** The id in such a name; undefined for files that are not ours. */
export function readQuarantinedName(name: string): string | undefined {
  const [, id] = QUARANTINED.exec(name) ?? [];
  return id !== undefined && UUID.test(id) ? id : undefined;
}

/** Whether a volume may have this id. */
export function isVolumeId(id: string): boolean {
  return UUID.test(id);
}

/** Whether a pool may have this name: it is a folder's name too. */
export function isPoolName(name: string): boolean {
  return POOL.test(name);
}

function checked(id: string): string {
  if (!isVolumeId(id)) throw new TypeError(`not a UUID: ${JSON.stringify(id)}`);
  return id;
}
