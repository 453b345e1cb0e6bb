import { parse, TomlDate, TomlError } from 'smol-toml';
import { ID_PATTERN } from './id-pattern.js';
import type { StaticToken } from './tokens.js';

/**
 * Reads a tokens file: a TOML list `[[tokens]]` with `sha256`, `user_id`, `roles`, either `project_id` or `system = true`, and
 * perhaps `expires_at`. Throws an Error that names the file and every bad entry, and no token.
 */
export function readTokens(text: string, file: string): readonly StaticToken[] {
  const { tokens, ...rest } = parsed(text, file);
  const problems = Object.keys(rest).map(
    (key) => `${file}: ${named(key)} is unknown: there are tables [[tokens]] only`,
  );
  if (!Array.isArray(tokens) || tokens.length === 0) throw new Error(`${file}: needs at least one table [[tokens]]`);
  const seen = new Set<unknown>();
  const read = (tokens as readonly Entry[]).map((entry, index): StaticToken => {
    const bad = mistakesOf(entry);
    if (seen.has(entry['sha256'])) bad.push('sha256 stands for an earlier token too');
    if (typeof entry['sha256'] === 'string') seen.add(entry['sha256']);
    if (bad.length > 0) problems.push(`${file}: token ${index + 1}: ${bad.join('; ')}`);
    return tokenOf(entry);
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return read;
}

type Entry = Readonly<Record<string, unknown>>;

const KEYS: readonly string[] = ['sha256', 'project_id', 'system', 'user_id', 'roles', 'expires_at'];
const SHA256 = /^[0-9a-f]{64}$/;
const MUST_BE_AN_ID = 'must be 1 to 255 characters of A-Z, a-z, 0-9 and "._:-"';

function mistakesOf(entry: Entry): string[] {
  const { sha256, project_id: projectId, system, user_id: userId, roles, expires_at: expiresAt } = entry;
  const isRoles = Array.isArray(roles) && roles.length > 0 && roles.every(isId);
  return [
    ...(typeof sha256 === 'string' && SHA256.test(sha256) ? [] : ['sha256 must be 64 hex digits in lower case']),
    ...scopeMistakes(projectId, system),
    ...(isId(userId) ? [] : [`user_id ${MUST_BE_AN_ID}`]),
    ...(isRoles ? [] : [`roles must be a list, not empty, of which each ${MUST_BE_AN_ID}`]),
    ...(expiresAt === undefined || isInstant(expiresAt)
      ? []
      : ['expires_at must be a time with its offset, such as 2027-01-31T00:00:00Z']),
    ...Object.keys(entry)
      .filter((key) => !KEYS.includes(key))
      .map((key) => `${named(key)} is unknown`),
  ];
}

/** A key as it may be told: what was meant as a value is none of the log's business. */
function named(key: string): string {
  return /^[a-z_]{1,20}$/.test(key) ? key : 'a key';
}

function scopeMistakes(projectId: unknown, system: unknown): readonly string[] {
  if (system === undefined) return isId(projectId) ? [] : [`project_id ${MUST_BE_AN_ID}, unless system = true`];
  if (system !== true) return ['system must be true, or not be there'];
  return projectId === undefined ? [] : ['project_id and system exclude each other: a token has one scope'];
}

/** The entry as it stands; it is used only when nothing is wrong with it. */
function tokenOf(entry: Entry): StaticToken {
  const { sha256, project_id: projectId, system, user_id: userId, roles, expires_at: expiresAt } = entry;
  return {
    sha256: sha256 as string,
    projectId: system === true ? '' : (projectId as string),
    userId: userId as string,
    roles: roles as readonly string[],
    ...(system === true && { systemScope: 'all' as const }),
    ...(isInstant(expiresAt) && { expiresAt: expiresAt.getTime() }),
  };
}

/** A TOML time that is one instant everywhere; one without an offset is not. */
function isInstant(value: unknown): value is TomlDate {
  return value instanceof TomlDate && value.isValid() && !value.isLocal();
}

/** The parser quotes the lines around a mistake, and with them what is secret: only the place is passed on. */
function parsed(text: string, file: string): Entry {
  try {
    return parse(text);
  } catch (error) {
    const place = error instanceof TomlError ? ` in line ${error.line}, column ${error.column}` : '';
    throw new Error(`${file}: is not valid TOML${place}`);
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID_PATTERN.test(value);
}
