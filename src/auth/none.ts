import { Fault } from '../errors/fault.js';
import type { Authenticator, Headers } from '../rpc/interceptors/authenticate.js';
import { ID_PATTERN } from './id-pattern.js';
import { asksForSystem } from './scope.js';

/**
 * Believes what the caller says of itself, as Cinder's `noauth`: for a loopback address only, which the config enforces.
 * `x-project-id` is required; `x-user-id` is the project's id when absent, `x-roles` is `member`. In its place
 * `openstack-system-scope: all` stands for the installation; `x-user-id` is then `system`, `x-roles` is `reader`.
 */
export const noAuth: Authenticator = {
  authenticate(headers) {
    const projectId = id(headers, 'x-project-id');
    if (asksForSystem(headers)) {
      if (projectId !== undefined) throw new Fault('NotAuthenticated', { reason: ONE_SCOPE });
      const userId = id(headers, 'x-user-id') ?? 'system';
      return { projectId: '', userId, roles: roles(headers('x-roles'), READER), systemScope: 'all' };
    }
    if (projectId === undefined) {
      throw new Fault('NotAuthenticated', {
        reason: "The metadata 'x-project-id' is missing: it names the caller's project.",
      });
    }
    return { projectId, userId: id(headers, 'x-user-id') ?? projectId, roles: roles(headers('x-roles'), MEMBER) };
  },
};

const ONE_SCOPE =
  "The metadata 'x-project-id' and 'openstack-system-scope' exclude each other: a caller has one scope.";

function id(headers: Headers, name: string): string | undefined {
  const value = headers(name);
  if (value === undefined) return undefined;
  if (ID_PATTERN.test(value)) return value;
  throw new Fault('NotAuthenticated', {
    reason: `The metadata '${name}' must be 1 to 255 characters of A-Z, a-z, 0-9 and "._:-".`,
  });
}

const MEMBER: readonly string[] = ['member'];
const READER: readonly string[] = ['reader'];

function roles(value: string | undefined, fallback: readonly string[]): readonly string[] {
  if (value === undefined) return fallback;
  const names = value.split(',').map((role) => role.trim());
  const known = names.filter((role) => ID_PATTERN.test(role));
  return known.length > 0 ? known.slice(0, 32) : fallback;
}
