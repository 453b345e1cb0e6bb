import { createHash } from 'node:crypto';
import { Fault } from '../errors/fault.js';
import type { Authenticator, Identity } from '../rpc/interceptors/authenticate.js';
import { asksForSystem } from './scope.js';

/** A token of the tokens file; the token itself is never kept, only its SHA-256. */
export interface StaticToken extends Identity {
  /** SHA-256 of the token, 64 hex digits. */
  readonly sha256: string;
  /** From then on it lets nobody in, ms since 1970. @default never */
  readonly expiresAt?: number;
}

/** SHA-256 of a token, as the tokens file has it: 64 hex digits in lower case. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/**
 * Knows callers by a token in `x-auth-token`, from a fixed list. The look-up is by hash, so its time says nothing about a
 * token. A scoping header that contradicts the token is refused rather than ignored. `now`: ms since 1970.
 */
export function tokenAuth(tokens: readonly StaticToken[], now: () => number = Date.now): Authenticator {
  const known = new Map(
    tokens.map(({ sha256, expiresAt = Infinity, ...caller }) => [sha256, { caller: identityOf(caller), expiresAt }]),
  );
  return {
    authenticate(headers) {
      const token = headers('x-auth-token');
      if (!token) throw new Fault('NotAuthenticated', { reason: "The metadata 'x-auth-token' is missing." });
      const found = known.get(hashOfToken(token));
      if (!found) throw new Fault('NotAuthenticated', { reason: 'The token is not known.' });
      if (now() >= found.expiresAt) throw new Fault('NotAuthenticated', { reason: 'The token has expired.' });
      const { caller } = found;
      const project = headers('x-project-id');
      if (project !== undefined && project !== caller.projectId) {
        throw new Fault('NotAuthenticated', { reason: "The token is not of the project in 'x-project-id'." });
      }
      if (asksForSystem(headers) && !caller.systemScope) {
        throw new Fault('NotAuthenticated', { reason: "The token is of a project, not of the system's scope." });
      }
      return caller;
    },
  };
}

/** What a context takes over from a token, and nothing else of its entry. */
function identityOf({ projectId, userId, roles, systemScope }: Identity): Identity {
  return { projectId, userId, roles, ...(systemScope && { systemScope }) };
}
