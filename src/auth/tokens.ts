import { createHash } from 'node:crypto';
import { parse } from 'smol-toml';
import { Fault } from '../errors/fault.js';
import type { Authenticator, Identity } from '../rpc/interceptors/authenticate.js';

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
  const { tokens } = parse(text);
  if (!Array.isArray(tokens)) throw new Error(`${file}: needs at least one table [[tokens]]`);
  const problems: string[] = [];
  const read = tokens.map((entry, index): StaticToken => {
    const { sha256, project_id: projectId, user_id: userId, roles } = entry as Readonly<Record<string, unknown>>;
    const bad = [
      ...(isText(sha256) && /^[0-9a-f]{64}$/.test(sha256) ? [] : ['sha256 must be 64 hex digits']),
      ...(isText(projectId) ? [] : ['project_id must be text']),
      ...(isText(userId) ? [] : ['user_id must be text']),
      ...(Array.isArray(roles) && roles.every(isText) ? [] : ['roles must be a list of texts']),
    ];
    if (bad.length > 0) problems.push(`${file}: token ${index + 1}: ${bad.join('; ')}`);
    return { sha256, projectId, userId, roles } as StaticToken;
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return read;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
