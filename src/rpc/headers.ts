/** The metadata of our requests and responses, by name. */

/** Version the request was written for, `MAJOR.MINOR`. On every internal request. */
export const RPC_VERSION = 'cinder-rpc-version';

/** Version the server speaks. On every internal response, errors included. */
export const RPC_SERVER_VERSION = 'cinder-rpc-server-version';

/** The backend that is meant, `host@backend`. */
export const RPC_TARGET = 'cinder-rpc-target';

/** The epoch of a durable cast that travels as a single RPC. */
export const CAST_EPOCH = 'cinder-cast-epoch';

/** What the internal listeners ask of a peer that is not on this machine. */
export const RPC_SECRET = 'cinder-rpc-secret';

/** On the response of a watch: the token of its beginning, so that it can be resumed before it has brought a change. */
export const RESUME_TOKEN = 'x-resume-token';

export const REQUEST_ID = 'x-openstack-request-id';
/** A token of the caller, where tokens are asked for. */
export const AUTH_TOKEN = 'x-auth-token';
export const PROJECT_ID = 'x-project-id';
export const USER_ID = 'x-user-id';
/** `all`: the caller acts on the installation, for no project. Keystone's name. */
export const SYSTEM_SCOPE = 'openstack-system-scope';
/** Comma-separated. */
export const ROLES = 'x-roles';
/** W3C trace context. */
export const TRACEPARENT = 'traceparent';
