import { Redis, type RedisOptions } from 'ioredis';

/** Host and port of a server. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where one server is. */
export type Endpoint =
  | { readonly socket: string }
  | (Address & { readonly db?: number })
  | { readonly sentinels: readonly Address[]; readonly masterName: string; readonly sentinelAuth?: Credentials };

/** Who we are. Without a name: the default user. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

/** What TLS needs, PEM. All may be absent: then the system's authorities are believed and no certificate is shown. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Name that the servers' certificates have. @default the host that is connected to */
  readonly serverName?: string;
}

/** How servers are spoken to. */
export interface Access {
  readonly auth?: Credentials;
  /** Asked at each connection, so that certificates can be renewed. @default plain text */
  readonly tls?: () => TlsMaterial;
}

const DEFAULT_PORT = 6_379;

/** An endpoint of a URL, with what the URL says of access. `rediss:` speaks TLS, by default as the system does. */
export function endpointOf(url: string, access: Access = {}): { readonly endpoint: Endpoint; readonly access: Access } {
  if (!/^rediss?:\/\//.test(url)) return { endpoint: { socket: url }, access };
  const { protocol, hostname, port, pathname, username, password } = new URL(url);
  const db = pathname.slice(1);
  const auth = {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  };
  return {
    endpoint: {
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? DEFAULT_PORT : Number(port),
      ...(db !== '' && { db: Number(db) }),
    },
    access: {
      ...(protocol === 'rediss:' && { tls: () => ({}) }),
      ...access,
      ...(password !== '' && { auth }),
    },
  };
}

/** `HOST:PORT` or `[IPV6]:PORT`. */
export function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}

/** A client that connects to an endpoint, under manners of its own. */
export function clientOf(endpoint: Endpoint, access: Access, manners: RedisOptions): Redis {
  // its own ready check knows less than ours, and would wait where we want to know
  const common = { enableReadyCheck: false, enableOfflineQueue: false, disableClientInfo: true };
  return new Redis({ ...common, ...accessOptions(endpoint, access), ...manners, replyMapping: 'legacy' });
}

/** Where it is and how to get in. */
function accessOptions(endpoint: Endpoint, { auth, tls }: Access): RedisOptions {
  const credentials = {
    ...(auth?.username !== undefined && { username: auth.username }),
    ...(auth?.password !== undefined && { password: auth.password }),
  };
  if ('socket' in endpoint) return { path: endpoint.socket, ...credentials };
  const secure = tls && liveTls(tls);
  if (!('sentinels' in endpoint)) return { ...endpoint, ...credentials, ...(secure && { tls: secure }) };
  const { sentinels, masterName, sentinelAuth } = endpoint;
  return {
    sentinels: sentinels.map((address) => ({ ...address })),
    name: masterName,
    role: 'master',
    ...credentials,
    ...(sentinelAuth?.username !== undefined && { sentinelUsername: sentinelAuth.username }),
    ...(sentinelAuth?.password !== undefined && { sentinelPassword: sentinelAuth.password }),
    ...(secure && { tls: secure, sentinelTLS: secure, enableTLSForSentinelMode: true }),
  };
}

/** The client copies these at each connection: what is read then is what was renewed meanwhile. */
function liveTls(read: () => TlsMaterial): NonNullable<RedisOptions['tls']> {
  const { serverName } = read();
  return {
    minVersion: 'TLSv1.2',
    ...(serverName !== undefined && { servername: serverName }),
    get ca() {
      return read().ca;
    },
    get cert() {
      return read().cert;
    },
    get key() {
      return read().key;
    },
  };
}
