import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '#src/db/migrate.js';
import type { ServiceName } from '../../support/cluster.js';
import { folderFor } from '../../support/folder.js';
import { freePort } from '../../support/free-port.js';
import type { Lifetime } from '../../support/lifetime.js';
import { PostgresServer } from '../../support/postgres-server.js';
import { type RedisProcess, redisProcessFor } from '../../support/redis-processes.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Member } from './member.js';

const DATABASE = 'estate';
export const SERVICE_DOWN_TIME_MS = 3_000;
export const BACKENDS = ['fast', 'slow'] as const;

/** Deaths are seen within seconds, and what nobody decides is decided within seconds. */
const IMPATIENT = {
  CINDER_REPORT_INTERVAL: '1',
  CINDER_SERVICE_DOWN_TIME: String(SERVICE_DOWN_TIME_MS / 1_000),
  CINDER_API_FLOW_DEADLINE: '1',
  CINDER_RESERVATION_EXPIRE: '10',
  CINDER_BACKEND_STATS_POLLING_INTERVAL: '3',
  CINDER_SCHEDULER_DRIVER_INIT_WAIT_TIME: '2',
  CINDER_ORPHAN_SWEEP_INTERVAL: '1',
  CINDER_ORPHAN_GRACE_TIME: '1',
};

const STOP_DEADLINE_MS = 10_000;

const ROLES: readonly (readonly [name: string, service: ServiceName])[] = [
  ['api1', 'api'],
  ['api2', 'api'],
  ['scheduler1', 'scheduler'],
  ['scheduler2', 'scheduler'],
  ['volume1', 'volume'],
  ['volume2', 'volume'],
];

/**
 * Two APIs, two schedulers and two volume services of two backends each, in processes of their own, on a PostgreSQL and a
 * Redis of their own; between any two of them stands a proxy.
 */
export class Estate {
  readonly postgres: PostgresServer;
  readonly redis: RedisProcess;
  readonly members: readonly Member[];
  readonly folder: string;
  /** What the test itself reads of the records, past the proxies. */
  readonly #pool: pg.Pool;

  private constructor(parts: {
    readonly postgres: PostgresServer;
    readonly redis: RedisProcess;
    readonly members: readonly Member[];
    readonly folder: string;
    readonly pool: pg.Pool;
  }) {
    this.postgres = parts.postgres;
    this.redis = parts.redis;
    this.members = parts.members;
    this.folder = parts.folder;
    this.#pool = parts.pool;
  }

  /** Starts everything; answers when all serve. `environment`: beside what is said here. */
  static async start(t: Lifetime, environment: Readonly<Record<string, string>> = {}): Promise<Estate> {
    const folder = await folderFor(t);
    const postgres = await PostgresServer.start();
    t.teardown(() => postgres.destroy());
    await postgres.createDatabase('template1', DATABASE);
    await migrate(postgres.url(DATABASE));
    const redis = await redisProcessFor(t);
    const pool = new pg.Pool({ connectionString: postgres.url(DATABASE), max: 3, application_name: 'estate' });
    pool.on('error', () => undefined); // the server is killed now and then
    t.teardown(() => pool.end());
    const members = await Promise.all(
      ROLES.map(([name, service]) => memberOf(t, { name, service, postgres, redis, folder, environment })),
    );
    const estate = new Estate({ postgres, redis, members, folder, pool });
    t.teardown(() => estate.end());
    await Promise.all(members.map((member) => member.start()));
    return estate;
  }

  /** For gRPC clients: both APIs. */
  get address(): string {
    return `ipv4:${this.of('api')
      .map(({ proxies }) => proxies.calls.address)
      .join(',')}`;
  }

  of(service: ServiceName): readonly Member[] {
    return this.members.filter((member) => member.service === service);
  }

  get proxies(): readonly TcpProxy[] {
    return this.members.flatMap(({ proxies }) => Object.values(proxies));
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return (await this.#pool.query<Row>(text, [...values])).rows;
  }

  /** The folder of a backend's only pool. `host`: a volume service's name. */
  poolFolder(host: string, backend: string): string {
    return join(this.folder, host, 'volumes', backend, 'pool');
  }

  /** Stops all services; who does not obey is killed. */
  async end(): Promise<void> {
    // processes that stand still do not hear that they shall end
    for (const member of this.members) member.signal('SIGCONT');
    for (const proxy of this.proxies) proxy.heal();
    const killer = setTimeout(() => this.members.forEach((member) => member.signal('SIGKILL')), STOP_DEADLINE_MS);
    await Promise.all(this.members.map((member) => member.stop()));
    clearTimeout(killer);
  }
}

async function memberOf(
  t: Lifetime,
  {
    name,
    service,
    postgres,
    redis,
    folder,
    environment,
  }: {
    readonly name: string;
    readonly service: ServiceName;
    readonly postgres: PostgresServer;
    readonly redis: RedisProcess;
    readonly folder: string;
    readonly environment: Readonly<Record<string, string>>;
  },
): Promise<Member> {
  let listens = { host: '127.0.0.1', port: await freePort() };
  const [sql, toRedis, calls] = await Promise.all([
    TcpProxy.start(t, () => ({ path: postgres.socket })),
    TcpProxy.start(t, () => ({ host: '127.0.0.1', port: redis.port })),
    TcpProxy.start(t, () => listens),
  ]);
  const dataDir = join(folder, name);
  await mkdir(dataDir, { recursive: true });
  const upper = service.toUpperCase();
  return new Member(t, {
    name,
    service,
    proxies: { sql, redis: toRedis, calls },
    onServing: (address) => (listens = { host: '127.0.0.1', port: Number(address.split(':')[1]) }),
    environment: {
      CINDER_HOST: name,
      CINDER_DATA_DIR: dataDir,
      CINDER_DATABASE_URL: `postgres://cinder@${sql.address}/${DATABASE}`,
      CINDER_REDIS_URL: `redis://${toRedis.address}`,
      [`CINDER_${upper}_LISTEN`]: `127.0.0.1:${service === 'api' ? listens.port : 0}`,
      ...(service !== 'api' && { [`CINDER_${upper}_ADVERTISE`]: calls.address }),
      CINDER_METRICS_LISTEN: '127.0.0.1:0',
      CINDER_LOG_FORMAT: 'json',
      CINDER_ENABLED_BACKENDS: BACKENDS.join(','),
      CINDER_QUOTA_VOLUMES: '1000',
      CINDER_QUOTA_GIGABYTES: '-1',
      ...IMPATIENT,
      ...environment,
    },
  });
}
