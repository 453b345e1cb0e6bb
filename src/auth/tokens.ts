import { createHash } from 'node:crypto';
import { parse, TomlError } from 'smol-toml';
import { Fault } from '../errors/fault.js';
import type { Authenticator, Identity } from '../rpc/interceptors/authenticate.js';
import { ID_PATTERN } from './id-pattern.js';

/** A token of the tokens file; the token itself is never kept, only its SHA-256. */
export interface StaticToken extends Identity {
  /** SHA-256 of the token, 64 hex digits. */
  readonly sha256: string;
}

/**
 * Knows callers by a token in `x-auth-token`, from a fixed list. The look-up is by hash, so its time says nothing about a
 * token. A scoping header that contradicts the token is refused rather than ignored.
 */
export function tokenAuth(tokens: readonly StaticToken[]): Authenticator {
  const callers = new Map(tokens.map(({ sha256, projectId, userId, roles }) => [sha256, { projectId, userId, roles }]));
  return {
    authenticate(headers) {
      const token = headers('x-auth-token');
      if (!token) throw new Fault('NotAuthenticated', { reason: "The metadata 'x-auth-token' is missing." });
      const caller = callers.get(createHash('sha256').update(token).digest('hex'));
      if (!caller) throw new Fault('NotAuthenticated', { reason: 'The token is not known.' });
      const project = headers('x-project-id');
      if (project !== undefined && project !== caller.projectId) {
        throw new Fault('NotAuthenticated', { reason: "The token is not of the project in 'x-project-id'." });
      }
      return caller;
    },
  };
}

/**
 * Reads a tokens file: a TOML list `[[tokens]]` with `sha256`, `project_id`, `user_id` and `roles`.
 * Throws an Error that names the file and every bad entry, and no token.
 */
export function readTokens(text: string, file: string): readonly StaticToken[] {
  const { tokens } = parsed(text, file);
  if (!Array.isArray(tokens) || tokens.length === 0) throw new Error(`${file}: needs at least one table [[tokens]]`);
  const problems: string[] = [];
  const read = tokens.map((entry, index): StaticToken => {
    const { sha256, project_id: projectId, user_id: userId, roles } = entry as Readonly<Record<string, unknown>>;
    const bad = [
      ...(typeof sha256 === 'string' && SHA256.test(sha256) ? [] : ['sha256 must be 64 hex digits in lower case']),
      ...(isId(projectId) ? [] : [`project_id ${MUST_BE_AN_ID}`]),
      ...(isId(userId) ? [] : [`user_id ${MUST_BE_AN_ID}`]),
      ...(Array.isArray(roles) && roles.every(isId) ? [] : [`roles must be a list, of which each ${MUST_BE_AN_ID}`]),
      ...(tokens.findIndex((other) => isSame(other, sha256)) < index ? ['sha256 stands for an earlier token too'] : []),
    ];
    if (bad.length > 0) problems.push(`${file}: token ${index + 1}: ${bad.join('; ')}`);
    return { sha256, projectId, userId, roles } as StaticToken;
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return read;
}

const SHA256 = /^[0-9a-f]{64}$/;
const MUST_BE_AN_ID = 'must be 1 to 255 characters of A-Z, a-z, 0-9 and "._:-"';

/** The parser quotes the lines around a mistake, and with them what is secret: only the place is passed on. */
function parsed(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    const place = error instanceof TomlError ? ` in line ${error.line}, column ${error.column}` : '';
    throw new Error(`${file}: is not valid TOML${place}`);
  }
}

function isSame(entry: unknown, sha256: unknown): boolean {
  return typeof sha256 === 'string' && (entry as { readonly sha256?: unknown }).sha256 === sha256;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID_PATTERN.test(value);
}
