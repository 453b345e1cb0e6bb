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

/** An endpoint's name for people: `HOST:PORT`, a path, or the Sentinels' name of it. */
export function nameOf(endpoint: Endpoint): string {
  if ('socket' in endpoint) return endpoint.socket;
  return 'sentinels' in endpoint ? endpoint.masterName : `${endpoint.host}:${endpoint.port}`;
}
