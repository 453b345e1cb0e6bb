import { compareVersions, type Version, versionOf } from './version-number.js';

/** Versions of single objects where they differ from the protos'. */
type Manifest = ReadonlyMap<string, Version>;

/**
 * What `services.object_current_version` stands for: the version of every object of that release. Oldest first; the last
 * one is what the protos describe. Rule: cinder/objects/base.py, `CinderObjectVersionsHistory`.
 */
const HISTORY: readonly { readonly version: Version; readonly manifest: Manifest }[] = [
  {
    version: versionOf('1.38'),
    manifest: new Map([
      ['Volume', versionOf('1.8')],
      ['Snapshot', versionOf('1.5')],
    ]),
  },
  { version: versionOf('1.39'), manifest: new Map() },
];

/** What this code registers as `object_current_version`. */
export const OBJECT_VERSION = '1.39';

/** The oldest entry; a peer that is older still cannot be talked to. */
export const OLDEST_OBJECT_VERSION = '1.38';

/**
 * The version of an object that a peer with this history entry understands; undefined: the newest.
 * A peer that is newer than this code understands all of ours.
 */
export function objectVersionFor(entry: Version, object: string): Version | undefined {
  return HISTORY.find(({ version }) => compareVersions(entry, version) <= 0)?.manifest.get(object);
}
