import { OBJECT_VERSION, OBJECT_VERSIONS, objectEntryOf } from '#src/rpc/object-history.js';
import { compareVersions, type Version, versionOf } from '#src/rpc/version-number.js';

/** An age of the internal APIs. */
export interface Levels {
  /** By binary; a binary that is not named is as new as the protos. */
  readonly rpc: ReadonlyMap<string, Version>;
  /** Entry of the object history. */
  readonly objects: Version;
}

/** The protos as they are. */
export const NEWEST: Levels = { rpc: new Map(), objects: versionOf(OBJECT_VERSION) };

/**
 * Reads `cinder-scheduler=3.9,cinder-volume=3.15`. The objects are those of the oldest release among them, unless
 * `objects=1.39` says otherwise. Throws a sentence for what is no version.
 */
export function levelsFrom(text: string): Levels {
  const named = new Map(text.split(',').map(readPart));
  const objects = named.get('objects');
  named.delete('objects');
  const entries = [...named].map(([binary, version]) => objectEntryOf(binary, version));
  return { rpc: named, objects: objects ?? entries.toSorted(compareVersions)[0] ?? NEWEST.objects };
}

function readPart(part: string): readonly [string, Version] {
  const [name = '', text = ''] = part.split('=');
  if (!name || !text) throw new Error(`'${part}' is not BINARY=VERSION, e.g. cinder-scheduler=3.9`);
  if (name === 'objects' && !OBJECT_VERSIONS.includes(text)) {
    throw new Error(`there is no object version ${text}: there are ${OBJECT_VERSIONS.join(', ')}`);
  }
  return [name, versionOf(text)];
}
