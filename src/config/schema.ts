import { join } from 'node:path';

import { LOG_LEVELS } from '../log/levels.js';
import type { BackendOptions } from './backends.js';
import { LISTEN_SHAPE } from './listen.js';
import {
  choice,
  decimal,
  derivedText,
  flag,
  integer,
  list,
  optionalText,
  optionalVersion,
  seconds,
  text,
  versions,
} from './kinds.js';
import type { Option } from './option.js';

const DAY_S = 86_400;
/** Cinder's largest amount (`cinder/db/constants.py`, MAX_INT). */
const MAX_INT = 2_147_483_647;
/** Of a weigher: how much its opinion counts. */
const MULTIPLIER = { min: -1_000_000, max: 1_000_000 } as const;
/** Cinder's words for a quota without limit. */
const QUOTA = { min: -1, max: MAX_INT } as const;
/** Where something listens; port 0 is nowhere. */
const ADDRESS = { pattern: LISTEN_SHAPE.pattern, shape: 'HOST:PORT or [IPV6]:PORT' } as const;
const RATIO = { pattern: /^(auto|[1-9]\d*(\.\d+)?)$/, shape: "'auto', or a number of 1 or more in quotes" } as const;

/**
 * Every option of the product, one entry each: field of `Config`, then name, default, range, help. Times are written in
 * seconds and held in milliseconds. Backends have tables of their own: `backends.ts`.
 */
export const SCHEMA = {
  // where things are
  dataDir: derivedText(
    'data_dir',
    '$XDG_STATE_HOME/cinder-grpc, else ~/.local/state/cinder-grpc',
    (_, { environment, home }) => join(environment['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'cinder-grpc'),
    { help: 'Folder of everything that is kept.' },
  ),
  host: derivedText('host', "the machine's name", (_, { hostname }) => hostname, {
    pattern: /^[A-Za-z0-9_.-]{1,200}$/,
    shape: 'a host name without @ and #',
    help: 'Name of this host in host@backend#pool; never change it while it has volumes.',
  }),
  databaseUrl: derivedText(
    'database_url',
    'sqlite:<data_dir>/cinder.db',
    ({ dataDir }) => `sqlite:${join(String(dataDir), 'cinder.db')}`,
    {
      isSecret: 'in-url',
      pattern: /^(sqlite:.+|postgres(ql)?:\/\/.+)$/,
      shape: 'sqlite:PATH or postgres://…',
      help: 'The records. The embedded file belongs to one process; several need PostgreSQL.',
    },
  ),

  // Redis
  redisUrl: optionalText('redis_url', {
    isSecret: 'in-url',
    pattern: /^rediss?:\/\/[^\s?#/]+(\/\d*)?$/,
    shape: 'redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss://… for TLS',
    help: 'Quota usage: one server. None of redis_url, redis_sentinels, redis_cluster_nodes: a private redis-server child.',
  }),
  redisSentinels: list('redis_sentinels', [], {
    ...ADDRESS,
    help: 'Sentinels that know the primary.',
  }),
  redisSentinelMaster: text('redis_sentinel_master', 'mymaster', {
    pattern: /^[A-Za-z0-9._-]+$/,
    shape: 'a name without spaces',
    help: 'Name under which the Sentinels know it.',
  }),
  redisSentinelUsername: optionalText('redis_sentinel_username', { help: 'ACL user at the Sentinels.' }),
  redisSentinelPassword: optionalText('redis_sentinel_password', {
    isSecret: true,
    help: 'Password at the Sentinels, which need not be that of the servers.',
  }),
  redisClusterNodes: list('redis_cluster_nodes', [], {
    ...ADDRESS,
    help: 'Some nodes of a cluster, by which the others are found; name several.',
  }),
  redisUsername: optionalText('redis_username', { help: "ACL user. Unset: redis_url's, else the default user." }),
  redisPassword: optionalText('redis_password', { isSecret: true, help: "Password. Unset: redis_url's." }),
  redisTls: flag('redis_tls', false, {
    help: 'Speak TLS to the Sentinels and servers, or to the nodes. redis_url says it by rediss://.',
  }),
  redisTlsCaFile: optionalText('redis_tls_ca_file', {
    help: "Authorities that sign the servers' certificates, PEM. Unset: those of the system.",
  }),
  redisTlsCertFile: optionalText('redis_tls_cert_file', { help: 'Certificate to show to Redis, PEM.' }),
  redisTlsKeyFile: optionalText('redis_tls_key_file', {
    help: 'Private key of redis_tls_cert_file, PEM without a passphrase.',
  }),
  redisTlsServerName: optionalText('redis_tls_server_name', {
    pattern: /^[A-Za-z0-9.-]{1,253}$/,
    shape: 'a host name',
    help: "Name that every server's certificate has. Unset: the host or address at which it is called.",
  }),
  redisServer: optionalText('redis_server', {
    help: 'Program to run as the private child. Unset: redis-server of the PATH.',
  }),

  // listeners
  apiListen: text('api_listen', '127.0.0.1:8776', { ...LISTEN_SHAPE, help: 'Public API (gRPC).' }),
  schedulerListen: text('scheduler_listen', '127.0.0.1:8786', { ...LISTEN_SHAPE, help: 'Scheduler (gRPC, internal).' }),
  volumeListen: text('volume_listen', '127.0.0.1:8796', { ...LISTEN_SHAPE, help: 'Volume service (gRPC, internal).' }),
  metricsListen: text('metrics_listen', '127.0.0.1:8775', {
    pattern: new RegExp(`${LISTEN_SHAPE.pattern.source}|^off$`),
    shape: `${LISTEN_SHAPE.shape}; or off`,
    help: 'Metrics and health over HTTP, of every process. Where the default is taken a process goes without.',
  }),
  schedulerAdvertise: optionalText('scheduler_advertise', {
    ...LISTEN_SHAPE,
    help: 'Address at which others reach the scheduler. Unset: where it listens.',
  }),
  volumeAdvertise: optionalText('volume_advertise', {
    ...LISTEN_SHAPE,
    help: 'Address at which others reach the volume service. Unset: where it listens.',
  }),

  // TLS
  tlsCertFile: optionalText('tls_cert_file', {
    help: 'Certificate chain of the public API, PEM. Unset: it speaks plain text.',
  }),
  tlsKeyFile: optionalText('tls_key_file', { help: 'Private key of tls_cert_file, PEM without a passphrase.' }),
  tlsClientCaFile: optionalText('tls_client_ca_file', {
    help: 'Authorities, PEM. Set: who calls the public API must show a certificate that one of them has signed.',
  }),
  internalTlsCertFile: optionalText('internal_tls_cert_file', {
    help: 'Certificate chain of this service towards the others, as server and as client, PEM. Unset: plain text.',
  }),
  internalTlsKeyFile: optionalText('internal_tls_key_file', {
    help: 'Private key of internal_tls_cert_file, PEM without a passphrase.',
  }),
  internalTlsCaFile: optionalText('internal_tls_ca_file', {
    help: 'Authorities that sign the certificates of services and of nobody else, PEM.',
  }),
  internalTlsServerName: optionalText('internal_tls_server_name', {
    pattern: /^[A-Za-z0-9.-]{1,253}$/,
    shape: 'a host name',
    help: "Name that every service's certificate has. Unset: the host or address at which the service is called.",
  }),

  // traces
  otlpEndpoint: optionalText('otlp_endpoint', {
    pattern: /^https?:\/\/.+$/,
    shape: 'http://HOST:PORT or https://…',
    help: 'Where traces are sent, OTLP over gRPC. Unset: no traces.',
  }),
  traceSampleRatio: decimal('trace_sample_ratio', 1, {
    min: 0,
    max: 1,
    help: 'Part of the traces that begin here and are recorded; callers decide for theirs.',
  }),

  // log
  logLevel: choice('log_level', LOG_LEVELS, 'info', { help: 'The least important level that is written.' }),
  logFormat: choice('log_format', ['auto', 'json', 'pretty'], 'auto', {
    help: 'auto: pretty on a terminal, else JSON lines.',
  }),

  // who may
  authStrategy: choice('auth_strategy', ['noauth', 'tokens'], 'noauth', {
    help: 'noauth believes x-project-id and listens on loopback only.',
  }),
  authTokensFile: optionalText('auth_tokens_file', { help: 'Tokens of auth_strategy tokens.' }),
  internalRpcSecret: optionalText('internal_rpc_secret', {
    isSecret: true,
    pattern: /^.{16,}$/s,
    shape: 'at least 16 characters',
    help: 'Shared by all services; an internal listener that is not on loopback needs it, or internal_tls_*.',
  }),

  // volumes: zones, types, limits
  storageAvailabilityZone: text('storage_availability_zone', 'nova', { help: 'Zone of this host.' }),
  defaultAvailabilityZone: optionalText('default_availability_zone', {
    help: 'Zone of volumes that ask for none. Unset: storage_availability_zone.',
  }),
  allowAvailabilityZoneFallback: flag('allow_availability_zone_fallback', false, {
    help: 'Use the default zone where the one asked for does not exist.',
  }),
  clonedVolumeSameAz: flag('cloned_volume_same_az', true, {
    help: 'Refuse a zone for a clone that is not the zone of its source.',
  }),
  defaultVolumeType: text('default_volume_type', '__DEFAULT__', { help: 'Type of volumes that ask for none.' }),
  quotaVolumes: integer('quota_volumes', 10, { ...QUOTA, help: 'Volumes of a project; -1: any number.' }),
  quotaSnapshots: integer('quota_snapshots', 10, { ...QUOTA, help: 'Snapshots of a project.' }),
  quotaGigabytes: integer('quota_gigabytes', 1_000, {
    ...QUOTA,
    unit: 'GiB',
    help: 'Volumes and snapshots of a project together.',
  }),
  quotaBackups: integer('quota_backups', 10, { ...QUOTA, help: 'Backups of a project.' }),
  quotaBackupGigabytes: integer('quota_backup_gigabytes', 1_000, {
    ...QUOTA,
    unit: 'GiB',
    help: 'Backups of a project together.',
  }),
  quotaGroups: integer('quota_groups', 10, { ...QUOTA, help: 'Groups of a project.' }),
  perVolumeSizeLimit: integer('per_volume_size_limit', -1, {
    ...QUOTA,
    unit: 'GiB',
    help: 'Largest volume; -1: no limit.',
  }),
  useDefaultQuotaClass: flag('use_default_quota_class', true, {
    help: "Let the quota class 'default' override the quota_* options.",
  }),
  noSnapshotGbQuota: flag('no_snapshot_gb_quota', false, {
    help: 'Leave snapshots out of quota_gigabytes. Counts for what is made from now on; a rebuild or sync counts anew.',
  }),
  reservationExpireMs: seconds('reservation_expire', 600, {
    min: 10,
    max: DAY_S,
    help: 'After this a quota reservation nobody decided gives its amounts back. At least 4 x api_flow_deadline.',
  }),
  quotaReconcileIntervalMs: seconds('quota_reconcile_interval', 3_600, {
    min: 0,
    max: 30 * DAY_S,
    help: "How often each project's usage is compared with its records, and mended where it differs; 0: never.",
  }),

  // services and versions
  reportIntervalMs: seconds('report_interval', 10, { min: 1, max: 3_600, help: 'Between two heartbeats.' }),
  serviceDownTimeMs: seconds('service_down_time', 60, {
    min: 1,
    max: DAY_S,
    help: 'A service silent for longer is down.',
  }),
  serviceVersionTtlMs: seconds('service_version_ttl', DAY_S, {
    min: 60,
    help: 'A service down for longer no longer holds back RPC versions.',
  }),
  rpcVersion: versions('rpc_version', {
    help: 'Run as these older versions: register, take, send and answer as they did.',
  }),
  objectVersion: optionalVersion('object_version', {
    help: 'Know the objects that travel as this older entry of the object history does; else as rpc_version did.',
  }),
  rpcPins: versions('rpc_pins', { help: 'Send nothing newer than this, whatever the services speak.' }),

  // scheduling
  schedulerMaxAttempts: integer('scheduler_max_attempts', 3, {
    min: 1,
    max: 100,
    help: 'Backends tried for a volume.',
  }),
  schedulerDefaultFilters: list(
    'scheduler_default_filters',
    ['AvailabilityZoneFilter', 'CapacityFilter', 'CapabilitiesFilter', 'IgnoreAttemptedHostsFilter'],
    { help: "Filters, in this order. The last one, which Cinder's default lacks, makes a second choice another pool." },
  ),
  schedulerDefaultWeighers: list('scheduler_default_weighers', ['CapacityWeigher'], { help: 'Weighers.' }),
  schedulerWeightHandler: text('scheduler_weight_handler', 'OrderedHostWeightHandler', {
    help: 'How weights become an order; StochasticHostWeightHandler draws among all pools.',
  }),
  schedulerDriverInitWaitTimeMs: seconds('scheduler_driver_init_wait_time', 60, {
    min: 1,
    max: 3_600,
    help: 'How long a new scheduler waits for the first report of every backend.',
  }),
  capacityWeightMultiplier: decimal('capacity_weight_multiplier', 1, {
    ...MULTIPLIER,
    help: 'Above 0 spreads volumes, below 0 stacks them.',
  }),
  allocatedCapacityWeightMultiplier: decimal('allocated_capacity_weight_multiplier', -1, {
    ...MULTIPLIER,
    help: 'Below 0 prefers pools with little allocated, above 0 with much.',
  }),
  volumeNumberMultiplier: decimal('volume_number_multiplier', -1, {
    ...MULTIPLIER,
    help: 'Below 0 prefers pools with few volumes, above 0 with many.',
  }),
  maxOverSubscriptionRatio: text('max_over_subscription_ratio', '20.0', {
    ...RATIO,
    help: 'Provisioned to real capacity of thin pools.',
  }),
  reservedPercentage: integer('reserved_percentage', 0, {
    min: 0,
    max: 100,
    unit: '%',
    help: 'Part of a pool that is never given out.',
  }),
  capacityClaimTimeoutMs: seconds('capacity_claim_timeout', 600, {
    min: 1,
    max: 86_400,
    help: 'How long placed work may wait to be begun; its room may be sold again two reports later.',
  }),
  backupUseSameHost: flag('backup_use_same_host', false, {
    help: 'Back a volume up on its own host only.',
  }),
  filterFunction: optionalText('filter_function', {
    help: "Expression that DriverFilter asks of this host's pools: false rejects one.",
  }),
  goodnessFunction: optionalText('goodness_function', {
    help: "Expression by which GoodnessWeigher weighs this host's pools, 0 to 100.",
  }),
  backendStatsPollingIntervalMs: seconds('backend_stats_polling_interval', 60, {
    min: 3,
    max: 3_600,
    help: 'Between two capacity reports of a backend.',
  }),

  // time limits and bounds
  apiFlowDeadlineMs: seconds('api_flow_deadline', 30, {
    min: 1,
    max: 3_600,
    help: 'A request that is not accepted by then is undone.',
  }),
  rpcResponseTimeoutMs: seconds('rpc_response_timeout', 60, {
    min: 1,
    max: 3_600,
    help: 'Longest wait for the answer to a call.',
  }),
  gracefulShutdownTimeoutMs: seconds('graceful_shutdown_timeout', 60, {
    min: 0,
    max: 3_600,
    help: 'Longest wait for running work when stopped.',
  }),
  cleanupGiveUpTimeMs: seconds('cleanup_give_up_time', 3_600, {
    min: 1,
    help: 'How long work waits for the one backend that can do it; then it ends in error. A deletion goes on when it is back.',
  }),
  maxRequestBytes: integer('max_request_bytes', 1_048_576, {
    min: 4_096,
    max: 67_108_864,
    unit: 'bytes',
    help: 'Largest public request.',
  }),
  maxInternalMessageBytes: integer('max_internal_message_bytes', 16_777_216, {
    min: 65_536,
    max: 268_435_456,
    unit: 'bytes',
    help: 'Largest message between services.',
  }),
  maxConcurrentRequestsPerProject: integer('max_concurrent_requests_per_project', 2_000, {
    min: 1,
    max: 100_000,
    help: 'Public requests of a project at the same time.',
  }),
  volumeConcurrency: integer('volume_concurrency', 32, {
    min: 1,
    max: 1_000,
    help: 'Volumes a backend makes at the same time.',
  }),
  volumeCopyConcurrency: integer('volume_copy_concurrency', 4, {
    min: 1,
    max: 1_000,
    help: 'Volumes a backend copies at the same time.',
  }),
  castMaxInFlight: integer('cast_max_in_flight', 1_024, {
    min: 1,
    max: 100_000,
    help: 'Casts a process works on at the same time.',
  }),
  maxIdempotencyKeysPerProject: integer('max_idempotency_keys_per_project', 100_000, {
    min: 1,
    max: 10_000_000,
    help: 'Idempotency keys kept of a project; more are refused.',
  }),
  watchBuffer: integer('watch_buffer', 10_000, {
    min: 1,
    max: 100_000,
    help: 'Changes kept for a slow reader of WatchVolumes.',
  }),

  // what is kept
  retentionDays: integer('retention_days', 7, {
    min: 1,
    max: 36_500,
    unit: 'days',
    help: 'Deleted records and events are kept.',
  }),
  messageTtlMs: seconds('message_ttl', 30 * DAY_S, { min: 60, help: 'User messages are kept.' }),
  orphanSweepIntervalMs: seconds('orphan_sweep_interval', 600, {
    min: 1,
    max: DAY_S,
    help: 'Between two looks of a backend for files without a record.',
  }),
  orphanGraceTimeMs: seconds('orphan_grace_time', 3_600, {
    min: 1,
    help: 'A file without a record for longer is moved to the quarantine of its pool.',
  }),
  orphanRemoval: choice('orphan_removal', ['keep', 'remove'], 'keep', {
    help: 'What becomes of files in quarantine: kept for ever, or removed after orphan_keep_time.',
  }),
  orphanKeepTimeMs: seconds('orphan_keep_time', 30 * DAY_S, {
    min: 1,
    help: 'With orphan_removal remove: files in quarantine are kept.',
  }),
  idempotencyRetentionMs: seconds('idempotency_retention', DAY_S, { min: 60, help: 'Idempotency keys are kept.' }),

  enabledBackends: list('enabled_backends', ['file'], {
    help: 'Backends of this host, each with a table [backends.NAME].',
  }),
} as const satisfies Readonly<Record<string, Option<unknown>>>;

export type OptionField = keyof typeof SCHEMA;
type ValueOf<O> = O extends Option<infer T> ? T : never;

/** The product's options, checked and frozen. Modules take a slice of it, never all of it. */
export type Config = { readonly [Field in OptionField]: ValueOf<(typeof SCHEMA)[Field]> } & {
  /** The enabled backends, in order. */
  readonly backends: readonly BackendOptions[];
};

/** What quota needs to know. */
export type QuotaOptions = Pick<
  Config,
  | 'quotaVolumes'
  | 'quotaSnapshots'
  | 'quotaGigabytes'
  | 'quotaBackups'
  | 'quotaBackupGigabytes'
  | 'quotaGroups'
  | 'perVolumeSizeLimit'
  | 'useDefaultQuotaClass'
  | 'noSnapshotGbQuota'
  | 'reservationExpireMs'
  | 'apiFlowDeadlineMs'
>;

/** A run of options that belong together: from one field of SCHEMA to where the next group begins. */
export interface OptionGroup {
  readonly title: string;
  readonly from: OptionField;
}

/** How the options are shown to readers. */
export const GROUPS: readonly OptionGroup[] = [
  { title: 'Where things are', from: 'dataDir' },
  { title: 'Redis', from: 'redisUrl' },
  { title: 'Listeners', from: 'apiListen' },
  { title: 'TLS', from: 'tlsCertFile' },
  { title: 'Traces', from: 'otlpEndpoint' },
  { title: 'Log', from: 'logLevel' },
  { title: 'Who may', from: 'authStrategy' },
  { title: 'Volumes and quota', from: 'storageAvailabilityZone' },
  { title: 'Services and versions', from: 'reportIntervalMs' },
  { title: 'Scheduling', from: 'schedulerMaxAttempts' },
  { title: 'Time limits and bounds', from: 'apiFlowDeadlineMs' },
  { title: 'What is kept', from: 'retentionDays' },
  { title: 'Backends', from: 'enabledBackends' },
];
