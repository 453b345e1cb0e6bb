/** A version of an RPC API or of an object. Compared by number: 3.9 is older than 3.10. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  /** Third component; 0 when it is not there. */
  readonly revision: number;
}

const SYNTAX = /^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?$/;

/** Reads `MAJOR.MINOR` or `MAJOR.MINOR.REVISION`; undefined when the text is neither. */
export function parseVersion(text: string): Version | undefined {
  const match = SYNTAX.exec(text);
  return match ? { major: Number(match[1]), minor: Number(match[2]), revision: Number(match[3] ?? 0) } : undefined;
}

/** Reads a version that our own files or records hold. Throws when it is not one. */
export function versionOf(text: string): Version {
  const version = parseVersion(text);
  if (!version) throw new Error(`'${text}' is not a version: MAJOR.MINOR is expected`);
  return version;
}

/**
 * Whether something that implements one version understands a message of another: same major, not newer.
 * No `implemented`: no cap, everything is allowed. No `requested`: refused.
 * Rule: oslo_messaging/_utils.py, `version_is_compatible`.
 */
export function compatible(implemented: Version | undefined, requested: Version | undefined): boolean {
  if (!implemented) return true;
  if (!requested) return false;
  if (implemented.major !== requested.major) return false;
  if (requested.minor !== implemented.minor) return requested.minor < implemented.minor;
  return requested.revision <= implemented.revision;
}

/** Negative when `a` is older than `b`, 0 when they are the same. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.revision - b.revision;
}

/** `3.10`; the third component only where there is one. */
export function formatVersion({ major, minor, revision }: Version): string {
  return revision === 0 ? `${major}.${minor}` : `${major}.${minor}.${revision}`;
}
