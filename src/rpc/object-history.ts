import { compareVersions, formatVersion, parseVersion, type Version, versionOf } from './version-number.js';

/** Versions of single objects where they differ from the protos'. */
export type Manifest = ReadonlyMap<string, Version>;

interface Entry {
  readonly version: Version;
  readonly manifest: Manifest;
  /** The RPC version of each binary in the first release that had the entry. */
  readonly cameWith: Readonly<Record<string, Version>>;
}

const OLDEST: Entry = {
  version: versionOf('1.38'),
  manifest: new Map([
    ['Volume', versionOf('1.8')],
    ['Snapshot', versionOf('1.5')],
  ]),
  cameWith: {},
};
const NEWEST: Entry = {
  version: versionOf('1.39'),
  manifest: new Map(),
  cameWith: { 'cinder-scheduler': versionOf('3.12'), 'cinder-volume': versionOf('3.18') },
};

/**
 * What `services.object_current_version` stands for: the version of every object of that release. Oldest first; the last
 * one is what the protos describe. Rule: cinder/objects/base.py, `CinderObjectVersionsHistory`.
 */
const HISTORY: readonly Entry[] = [OLDEST, NEWEST];

/** All entries, oldest first, e.g. `1.38`. */
export const OBJECT_VERSIONS: readonly string[] = HISTORY.map(({ version: { major, minor } }) => `${major}.${minor}`);

/** What this code registers as `object_current_version`. */
export const OBJECT_VERSION = '1.39';

/** The oldest entry; a peer that is older still cannot be talked to. */
export const OLDEST_OBJECT_VERSION = '1.38';

/**
 * The version of an object that a peer with this history entry understands; undefined: the newest.
 * A peer that is newer than this code understands all of ours.
 */
export function objectVersionFor(entry: Version, object: string): Version | undefined {
  const known = HISTORY.findLast(({ version }) => compareVersions(version, entry) <= 0) ?? HISTORY[0];
  return known?.manifest.get(object);
}

/** The entry a process registers: the newest, or the older one it is told to. Throws for one that is not in the history. */
export function ownObjectVersion(objectVersion: string | undefined): Version {
  if (objectVersion === undefined) return NEWEST.version;
  const entry = HISTORY.find(({ version }) => formatVersion(version) === objectVersion);
  if (entry) return entry.version;
  throw new Error(`no object version ${objectVersion} is known: only ${OBJECT_VERSIONS.join(', ')}`);
}

/** The newest entry that whoever registered this knows; of what is no version, the oldest. */
export function entryBelow(objectVersion: string): string {
  const version = parseVersion(objectVersion);
  const known = version && HISTORY.findLast((entry) => compareVersions(entry.version, version) <= 0);
  return formatVersion((known ?? OLDEST).version);
}

/** The entry that a binary registered in the release that brought this version of its RPC, e.g. `1.38`. */
export function objectEntryOf(binary: string, rpc: Version): Version {
  const had = HISTORY.filter(({ cameWith: { [binary]: first } }) => !first || compareVersions(rpc, first) >= 0);
  return (had.at(-1) ?? OLDEST).version;
}
