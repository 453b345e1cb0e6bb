import type { BackendOptions } from './backends.js';
import { isLoopback } from './listen.js';
import type { Config } from './schema.js';

/** What one rule between options found. */
export interface Finding {
  /** Name of the option at fault, as in the file. */
  readonly option: string;
  readonly description: string;
}

/** Adjusts what Cinder adjusts by itself, with a warning. Rule: cinder/service.py, `service_down_time`. */
export function adjusted<C extends Omit<Config, 'backends'>>(
  config: C,
): { readonly config: C; readonly warnings: string[] } {
  if (config.serviceDownTimeMs > config.reportIntervalMs) return { config, warnings: [] };
  const seconds = Math.floor((config.reportIntervalMs / 1_000) * 2.5);
  return {
    config: { ...config, serviceDownTimeMs: seconds * 1_000 },
    warnings: [
      `service_down_time must be longer than report_interval (${config.reportIntervalMs / 1_000} s); it is taken as ${seconds} s.`,
    ],
  };
}

/** Checks the rules between options. */
export function broken(config: Omit<Config, 'backends'>): readonly Finding[] {
  return [...RULES].flatMap((rule) => rule(config));
}

/** What works, and should not stay so: said at every start. */
export function doubtful(config: Omit<Config, 'backends'>): readonly string[] {
  const { apiListen, tlsCertFile, internalTlsCertFile } = config;
  const plain = internalListeners(config).filter(([, listen]) => !internalTlsCertFile && !isLoopback(listen));
  return [
    ...(tlsCertFile === undefined && !isLoopback(apiListen)
      ? [
          'api_listen is beyond loopback without tls_cert_file: tokens pass in plain text, unless a proxy in front ends TLS.',
        ]
      : []),
    ...plainRedis(config),
    ...plain.map(
      ([option]) => `${option} is beyond loopback without internal_tls_cert_file: the secret passes in plain text.`,
    ),
  ];
}

/** What backends say and no scheduler with this configuration asks. */
export function unasked(
  { schedulerDefaultFilters, schedulerDefaultWeighers }: Omit<Config, 'backends'>,
  backends: readonly BackendOptions[],
): readonly string[] {
  const isSet = (field: 'filterFunction' | 'goodnessFunction'): boolean =>
    backends.some((backend) => backend[field] !== undefined);
  return [
    ...(isSet('filterFunction') && !schedulerDefaultFilters.includes('DriverFilter')
      ? ['filter_function decides only where a scheduler asks it: scheduler_default_filters has no DriverFilter here.']
      : []),
    ...(isSet('goodnessFunction') && !schedulerDefaultWeighers.includes('GoodnessWeigher')
      ? [
          'goodness_function decides only where a scheduler asks it: scheduler_default_weighers has no GoodnessWeigher here.',
        ]
      : []),
  ];
}

function plainRedis({ redisUrl, redisPassword, redisTls, ...config }: Omit<Config, 'backends'>): readonly string[] {
  const url = redisUrl !== undefined && URL.canParse(redisUrl) ? new URL(redisUrl) : undefined;
  const hasPassword = redisPassword !== undefined || (url !== undefined && url.password !== '');
  if (!hasPassword || redisTls || url?.protocol === 'rediss:') return [];
  const places = [...(url ? [`${url.hostname}:0`] : []), ...config.redisSentinels, ...config.redisClusterNodes];
  return places.every(isLoopback) ? [] : ['Redis is beyond loopback without TLS: its password passes in plain text.'];
}

function internalListeners({ schedulerListen, volumeListen }: Omit<Config, 'backends'>): readonly [string, string][] {
  return [
    ['scheduler_listen', schedulerListen],
    ['volume_listen', volumeListen],
  ];
}

/** Options that make sense together only, and what needs them. */
function together(
  group: Readonly<Record<string, string | undefined>>,
  extra: Readonly<Record<string, string | undefined>>,
): readonly Finding[] {
  const asked = Object.entries({ ...group, ...extra }).find(([, value]) => value !== undefined)?.[0];
  if (asked === undefined) return [];
  return Object.entries(group)
    .filter(([, value]) => value === undefined)
    .map(([option]) => ({ option, description: `is needed by ${asked}` }));
}

/** Names of the options that are set. */
function named(options: Readonly<Record<string, string | readonly string[] | undefined>>): readonly string[] {
  return Object.entries(options).flatMap(([option, value]) =>
    value === undefined || value.length === 0 ? [] : [option],
  );
}

type Rule = (config: Omit<Config, 'backends'>) => readonly Finding[];

const RULES: readonly Rule[] = [
  ({ authStrategy, apiListen }) =>
    authStrategy === 'noauth' && !isLoopback(apiListen)
      ? [{ option: 'api_listen', description: `must be on loopback under auth_strategy noauth, not ${apiListen}` }]
      : [],

  ({ authStrategy, authTokensFile }) =>
    authStrategy === 'tokens' && authTokensFile === undefined
      ? [{ option: 'auth_tokens_file', description: 'is needed by auth_strategy tokens' }]
      : [],

  (config) =>
    internalListeners(config)
      .filter(([, listen]) => !isLoopback(listen))
      .filter(() => config.internalRpcSecret === undefined && config.internalTlsCertFile === undefined)
      .map(([option, listen]) => ({
        option,
        description: `must be on loopback without internal_rpc_secret or internal_tls_cert_file, not ${listen}`,
      })),

  ({ tlsCertFile, tlsKeyFile, tlsClientCaFile }) =>
    together({ tls_cert_file: tlsCertFile, tls_key_file: tlsKeyFile }, { tls_client_ca_file: tlsClientCaFile }),

  ({ internalTlsCertFile, internalTlsKeyFile, internalTlsCaFile, internalTlsServerName }) =>
    together(
      {
        internal_tls_cert_file: internalTlsCertFile,
        internal_tls_key_file: internalTlsKeyFile,
        internal_tls_ca_file: internalTlsCaFile,
      },
      { internal_tls_server_name: internalTlsServerName },
    ),

  ({ tlsClientCaFile, internalTlsCaFile }) =>
    tlsClientCaFile !== undefined && tlsClientCaFile === internalTlsCaFile
      ? [{ option: 'internal_tls_ca_file', description: "must not be tls_client_ca_file: users' are no services" }]
      : [],

  ({ redisUrl, redisSentinels, redisClusterNodes }) =>
    named({ redis_url: redisUrl, redis_sentinels: redisSentinels, redis_cluster_nodes: redisClusterNodes })
      .slice(1)
      .map((option) => ({ option, description: 'is another Redis: name one, some Sentinels, or some nodes' })),

  ({ redisSentinels, redisSentinelUsername, redisSentinelPassword }) =>
    redisSentinels.length > 0
      ? []
      : named({
          redis_sentinel_username: redisSentinelUsername,
          redis_sentinel_password: redisSentinelPassword,
        }).map((option) => ({ option, description: 'needs redis_sentinels' })),

  ({ redisUsername, redisPassword, redisTls, redisUrl, redisSentinels, redisClusterNodes }) =>
    redisUrl !== undefined || redisSentinels.length > 0 || redisClusterNodes.length > 0
      ? []
      : named({
          redis_username: redisUsername,
          redis_password: redisPassword,
          redis_tls: redisTls ? 'true' : undefined,
        }).map((option) => ({ option, description: 'needs redis_url, redis_sentinels or redis_cluster_nodes' })),

  ({ redisUrl, redisPassword }) =>
    redisUrl !== undefined && !URL.canParse(redisUrl)
      ? [{ option: 'redis_url', description: 'must be a URL; what is special in a password is written as %XX' }]
      : redisPassword !== undefined && redisUrl !== undefined && new URL(redisUrl).password !== ''
        ? [{ option: 'redis_password', description: 'is given by redis_url already' }]
        : [],

  ({ redisUsername, redisPassword, redisSentinelUsername, redisSentinelPassword }) => [
    ...together({ redis_password: redisPassword }, { redis_username: redisUsername }),
    ...together({ redis_sentinel_password: redisSentinelPassword }, { redis_sentinel_username: redisSentinelUsername }),
  ],

  ({ redisTls, redisUrl }) =>
    redisTls && redisUrl?.startsWith('redis://')
      ? [{ option: 'redis_tls', description: 'contradicts redis_url: write rediss:// there' }]
      : [],

  ({ redisTls, redisUrl, ...config }) => {
    const { redisTlsCaFile: ca, redisTlsCertFile: cert, redisTlsKeyFile: key, redisTlsServerName: name } = config;
    const files = { redis_tls_cert_file: cert, redis_tls_key_file: key };
    if (redisTls || redisUrl?.startsWith('rediss://') === true) return cert || key ? together(files, files) : [];
    return named({ ...files, redis_tls_ca_file: ca, redis_tls_server_name: name }).map((option) => ({
      option,
      description: 'needs redis_tls, or rediss:// in redis_url',
    }));
  },

  ({ reservationExpireMs, apiFlowDeadlineMs }) =>
    reservationExpireMs < 4 * apiFlowDeadlineMs
      ? [{ option: 'reservation_expire', description: 'must be at least 4 times api_flow_deadline' }]
      : [],

  ({ enabledBackends }) =>
    enabledBackends.length === 0 ? [{ option: 'enabled_backends', description: 'must name a backend' }] : [],
];
