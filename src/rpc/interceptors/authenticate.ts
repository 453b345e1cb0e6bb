import type { Metadata } from '@grpc/grpc-js';
import type { FieldViolation } from '../../errors/catalogue.js';
import { Fault } from '../../errors/fault.js';
import type { RequestContext } from '../../objects/request-context.js';
import { traceparentFrom } from '../context.js';
import { PROJECT_ID, ROLES, USER_ID } from '../headers.js';

/** Who a caller is. */
export type Identity = Pick<RequestContext, 'projectId' | 'userId' | 'roles' | 'systemScope'>;

/** Reads one value of the request's metadata; undefined when it is absent. */
export type Headers = (name: string) => string | undefined;

/** Says who a caller is. Throws Fault NotAuthenticated. */
export interface Authenticator {
  authenticate(headers: Headers): Identity | Promise<Identity>;
}

const ID = /^[A-Za-z0-9._:-]{1,255}$/;

/** Finds out on whose behalf a public request is made. Throws Fault NotAuthenticated; InvalidInput for ids no record can hold. */
export async function authenticated(
  authenticator: Authenticator,
  metadata: Metadata,
  requestId: string,
): Promise<RequestContext> {
  const identity = await authenticator.authenticate((name) => metadata.get(name)[0]?.toString());
  const { projectId, userId, roles, systemScope } = identity;
  const violations = [
    ...(systemScope && projectId === '' ? [] : badId(PROJECT_ID, projectId)),
    ...badId(USER_ID, userId),
    ...roles.flatMap((role) => badId(ROLES, role)),
  ];
  if (violations.length > 0) throw new Fault('InvalidInput', { violations, omitted: 0 });
  const traceparent = traceparentFrom(metadata);
  return { projectId, userId, roles, requestId, traceparent, ...(systemScope && { systemScope }) };
}

function badId(field: string, id: string): readonly FieldViolation[] {
  return ID.test(id)
    ? []
    : [{ field, description: 'must be 1 to 255 characters of A-Z, a-z, 0-9, ".", "_", ":" and "-"' }];
}
