import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/schema.js';
import type { Log } from '../log/log.js';
import { connectCluster, connectRedis, type RedisConnectionOptions } from '../redis/connect.js';
import type { RedisConnection } from '../redis/connection.js';
import { addressOf, type Credentials, type TlsMaterial } from '../redis/endpoint.js';
import { startPrivateServer } from '../redis/private-server.js';
import { configuredFiles, type LiveFiles } from './live-files.js';
import type { Reloads } from './reload.js';

/** The Redis of a process. */
export interface OpenRedis {
  readonly connection: RedisConnection;
  readonly close: () => Promise<void>;
}

/** What comes with the configuration. */
export interface OpenRedisOptions extends Omit<RedisConnectionOptions, 'access' | 'log'> {
  readonly log: Log;
  readonly reloads: Reloads;
}

/**
 * Connects to the configured Redis, be it one server, Sentinels or a cluster, or starts a private one. Throws an Error that
 * says why it cannot be used, or which option names a file that cannot be.
 */
export async function openRedis(config: Config, { reloads, ...given }: OpenRedisOptions): Promise<OpenRedis> {
  const { log } = given;
  const files = usesTls(config) ? tlsFiles(config, log, reloads) : undefined;
  const auth = credentials(config.redisUsername, config.redisPassword);
  const options: RedisConnectionOptions = {
    ...given,
    access: { ...(auth && { auth }), ...(files && { tls: () => files.value }) },
  };
  const ends: (() => Promise<void> | void)[] = [() => files?.close()];
  const close = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end();
  };
  try {
    const connection = await connect(config, options, async () => {
      const dir = join(config.dataDir, 'redis');
      const server = await startPrivateServer({ dir, command: config.redisServer ?? 'redis-server', log });
      ends.push(() => server.stop());
      return server.socket;
    });
    ends.push(() => connection.close());
    return { connection, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function connect(
  config: Config,
  options: RedisConnectionOptions,
  startPrivate: () => Promise<string>,
): Promise<RedisConnection> {
  const { redisUrl, redisSentinels, redisClusterNodes } = config;
  if (redisClusterNodes.length > 0) return connectCluster({ ...options, nodes: redisClusterNodes.map(addressOf) });
  if (redisSentinels.length > 0) {
    const sentinelAuth = credentials(config.redisSentinelUsername, config.redisSentinelPassword);
    const endpoint = {
      sentinels: redisSentinels.map(addressOf),
      masterName: config.redisSentinelMaster,
      ...(sentinelAuth && { sentinelAuth }),
    };
    return connectRedis({ ...options, endpoint });
  }
  return connectRedis({ ...options, url: redisUrl ?? (await startPrivate()) });
}

function credentials(username: string | undefined, password: string | undefined): Credentials | undefined {
  if (password === undefined) return undefined;
  return { ...(username !== undefined && { username }), password };
}

function usesTls({ redisTls, redisUrl }: Config): boolean {
  return redisTls || redisUrl?.startsWith('rediss:') === true;
}

/** Renewed certificates are shown to Redis at the next connection. */
function tlsFiles(config: Config, log: Log, reloads: Reloads): LiveFiles<TlsMaterial> {
  const files = configuredFiles({
    name: 'certificates for Redis',
    options: ['redisTlsCaFile', 'redisTlsCertFile', 'redisTlsKeyFile'],
    files: ({ redisTlsCaFile, redisTlsCertFile, redisTlsKeyFile }) =>
      [redisTlsCaFile, redisTlsCertFile, redisTlsKeyFile].filter((path) => path !== undefined),
    read: readTls,
    ...{ config, log, reloads },
  });
  files.watch();
  return files;
}

function readTls(config: Config): TlsMaterial {
  const ca = read('redis_tls_ca_file', config.redisTlsCaFile);
  const cert = read('redis_tls_cert_file', config.redisTlsCertFile);
  const key = read('redis_tls_key_file', config.redisTlsKeyFile);
  const material = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  try {
    if (ca) new X509Certificate(ca); // OpenSSL takes text without any certificate for no authorities
    createSecureContext(material);
  } catch (error) {
    throw new Error(`The files of redis_tls_* cannot be used: ${(error as Error).message}`, { cause: error });
  }
  return { ...material, ...(config.redisTlsServerName !== undefined && { serverName: config.redisTlsServerName }) };
}

function read(option: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${option} ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
