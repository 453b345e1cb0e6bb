import { ChannelCredentials, Client, type ClientOptions, Metadata } from '@grpc/grpc-js';
import { AUTH_TOKEN, PROJECT_ID, ROLES, USER_ID } from '../rpc/headers.js';
import { type Calls, serviceClient } from './calls.js';
import type { ServiceClient } from './methods.js';
import { repeatableBy, serviceConfig } from './service-config.js';
import { SERVICES } from './services.js';

/** Whom to call, and as whom. */
export interface ConnectOptions {
  /** A gRPC target: `host:port`, or several addresses as `ipv4:10.0.0.1:8776,10.0.0.2:8776`; a name may have several too. */
  readonly address: string;
  /** @default plaintext */
  readonly tls?: TlsOptions | undefined;
  /** What the installation gave the caller to show who it is. */
  readonly token?: string | undefined;
  /** Who calls, for an installation that believes it (`noauth`). */
  readonly project?: string | undefined;
  readonly user?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  /** How long a unary call may take, retries included, ms. @default 60000 */
  readonly timeoutMs?: number | undefined;
}

/** TLS; each is PEM. */
export interface TlsOptions {
  /** Who may vouch for the server. @default the system's */
  readonly rootCertificates?: string | Buffer | undefined;
  /** This client's own certificate and key, where the server asks for them. */
  readonly certificate?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** The name in the server's certificate. @default the address's host */
  readonly serverName?: string | undefined;
}

/** One property a public service, one method an RPC. */
export type CinderClient = { readonly [S in keyof typeof SERVICES]: ServiceClient<(typeof SERVICES)[S]> } & {
  /** Cancels what is under way and closes the connections. Safe to repeat. */
  close(): void;
};

const TIMEOUT_MS = 60_000;

/**
 * A client of the public API. Connects at the first call. Calls that are safe to repeat are retried while the service is
 * unavailable; an address where nobody has ever answered is given up after seconds. Throws when an option is not well-formed.
 */
export function connect(options: ConnectOptions): CinderClient {
  const services = Object.entries(SERVICES);
  const config = serviceConfig(services.map(([, service]) => service));
  const { address, tls, timeoutMs = TIMEOUT_MS } = options;
  const grpc = new Client(address, credentialsOf(tls), channelOptions(tls, JSON.stringify(config)));
  const calls: Calls = {
    grpc,
    metadata: identityOf(options),
    timeoutMs,
    hasAnswer: false,
    isRepeatable: repeatableBy(config),
  };
  const clients = services.map(([name, service]) => [name, serviceClient(calls, service)]);
  return { ...(Object.fromEntries(clients) as CinderClient), close: () => grpc.close() };
}

function identityOf({ token, project, user, roles }: ConnectOptions): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set(AUTH_TOKEN, token);
  if (project !== undefined) metadata.set(PROJECT_ID, project);
  if (user !== undefined) metadata.set(USER_ID, user);
  if (roles !== undefined) metadata.set(ROLES, roles.join(','));
  return metadata;
}

function credentialsOf(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  const bytes = (pem: string | Buffer | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
  return ChannelCredentials.createSsl(bytes(tls.rootCertificates), bytes(tls.key), bytes(tls.certificate));
}

function channelOptions(tls: TlsOptions | undefined, config: string): ClientOptions {
  return {
    'grpc.service_config': config,
    // the config is the installation's; a DNS server may not replace it
    'grpc.service_config_disable_resolution': 1,
    // the server bounds what it sends; the default of 4 MiB would refuse a full page
    'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
    // a peer that died without a word is noticed within half a minute, also by a watch
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    // a restarted service is found again within a second or two
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.enable_channelz': 0,
    ...(tls?.serverName !== undefined && {
      'grpc.ssl_target_name_override': tls.serverName,
      'grpc.default_authority': tls.serverName,
    }),
  };
}

const MAX_RECEIVE_BYTES = 67_108_864;
