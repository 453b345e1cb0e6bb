import type { ExecutionContext } from 'ava';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { folderFor } from './folder.js';
import { Client, until } from './installation.js';
import { CLI, processFor, type TestProcess } from './process.js';
import { redisUrlFor } from './redis.js';
import { postgresUrl } from './sql.js';

export type ServiceName = 'api' | 'scheduler' | 'volume';

/** One service in a process of its own. */
export interface ClusterProcess extends TestProcess {
  /** Where it listens. */
  readonly address: string;
}

/** Characters of a process's log that are shown when its test has failed. */
const LOGGED = 4_000;

/** Deaths are seen within seconds. */
const IMPATIENT = {
  CINDER_REPORT_INTERVAL: '1',
  CINDER_SERVICE_DOWN_TIME: '4',
  CINDER_API_FLOW_DEADLINE: '4',
  CINDER_RESERVATION_EXPIRE: '20',
};

/** An installation of several processes: a database and a Redis of the test's own, and services that are started one by one. */
export class Cluster {
  readonly #t: ExecutionContext;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(t: ExecutionContext, environment: Readonly<Record<string, string>>) {
    this.#t = t;
    this.#environment = environment;
  }

  /** Starts a service; answers when it can be called. `program`: another than the product's own. */
  async start(
    service: ServiceName,
    environment: Readonly<Record<string, string>> = {},
    program: readonly string[] = [CLI, 'serve', service],
  ): Promise<ClusterProcess> {
    const process = this.run(program, environment);
    const [, address = ''] = await process.wrote(/"address":"(127\.0\.0\.1:\d+)"/);
    return { ...process, address };
  }

  /** Runs a program with the cluster's environment. */
  run(program: readonly string[], environment: Readonly<Record<string, string>> = {}): TestProcess {
    const started = processFor(this.#t, process.execPath, program, { env: { ...this.#environment, ...environment } });
    this.#t.teardown(() => {
      if (!this.#t.passed) this.#t.log(`${program.slice(1).join(' ')}:\n${started.stderr().slice(-LOGGED)}`);
    });
    return started;
  }

  /** A client of one project at one API, closed with the test. */
  client({ address }: { readonly address: string }, projectId = 'demo', roles = 'member'): Client {
    const client = new Client(address, projectId, roles);
    this.#t.teardown(() => client.close());
    return client;
  }
}

/** A cluster without any process yet. What `environment` says is not made here: a database or a Redis that the test holds. */
export async function clusterFor(
  t: ExecutionContext,
  environment: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  return new Cluster(t, {
    CINDER_DATA_DIR: await folderFor(t),
    CINDER_DATABASE_URL: environment['CINDER_DATABASE_URL'] ?? (await postgresUrl(t)),
    CINDER_REDIS_URL: environment['CINDER_REDIS_URL'] ?? (await redisUrlFor(t)),
    CINDER_HOST: 'node1',
    CINDER_API_LISTEN: '127.0.0.1:0',
    CINDER_SCHEDULER_LISTEN: '127.0.0.1:0',
    CINDER_VOLUME_LISTEN: '127.0.0.1:0',
    CINDER_METRICS_LISTEN: '127.0.0.1:0',
    CINDER_LOG_FORMAT: 'json',
    CINDER_QUOTA_VOLUMES: '1000',
    ...IMPATIENT,
    ...environment,
  });
}

/** Waits until so many volumes of the client's project are available, and says in which status the others are. */
export async function allAvailable(client: Client, count: number): Promise<void> {
  await until(async () => {
    const statuses = (await client.list()).map(({ status }) => status);
    return statuses.length === count && statuses.every((status) => status === VolumeStatus.AVAILABLE)
      ? true
      : undefined;
  }, `${count} volumes to be available`);
}
