import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import Database from 'libsql';
import { QuotasClient } from '#src/gen/cinder/api/v3/quotas.js';
import {
  type CreateVolumeRequest,
  CreateVolumeRequest as CreateVolume,
  type Volume,
  VolumesClient,
  VolumeStatus,
  ListVolumesRequest,
} from '#src/gen/cinder/api/v3/volumes.js';
import { folderFor } from './folder.js';
import { CLI, processFor, type TestProcess } from './process.js';
import type { Lifetime } from './lifetime.js';
import { REDIS_SERVER } from './redis-program.js';
import { until } from './until.js';

export { type Lifetime, until };

/** What can be seen of an installation after it was stopped: the four things that must agree. */
export interface Books {
  /** Live volumes by id: their status. */
  readonly records: ReadonlyMap<string, string>;
  /** Rows of work. */
  readonly workers: number;
  /** Settlements that are not settled. */
  readonly settlements: number;
  /** Ids of the volumes that have a final file. */
  readonly files: readonly string[];
  /** Files of volumes on their way. */
  readonly halfMade: number;
}

/** An installation of this test's own, running. */
export async function installationFor(
  t: ExecutionContext,
  environment: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const installation = new Installation(t, await folderFor(t), environment);
  await installation.start();
  return installation;
}

/** An installation that the tests of a file share; their projects keep them apart. To be called once, on top of the file. */
export function sharedInstallation(environment: Readonly<Record<string, string>> = {}): () => Installation {
  const teardowns: (() => unknown)[] = [];
  let running: Installation | undefined;

  test.before('the installation starts', async () => {
    const lifetime: Lifetime = { teardown: (end) => void teardowns.unshift(end) };
    running = new Installation(lifetime, await folderFor(lifetime), environment);
    await running.start();
  });
  test.after.always('the installation is gone', async () => {
    for (const end of teardowns) await end();
  });
  return () => {
    if (!running) throw new Error('the installation does not run');
    return running;
  };
}

/** One installation in a folder of its own: it may be run, killed and run again. */
export class Installation {
  readonly #t: Lifetime;
  readonly folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  #running: TestProcess | undefined;
  #address = '';

  constructor(t: Lifetime, folder: string, environment: Readonly<Record<string, string>> = {}) {
    this.#t = t;
    this.folder = folder;
    this.#environment = {
      CINDER_DATA_DIR: folder,
      CINDER_HOST: 'node1',
      CINDER_REDIS_SERVER: REDIS_SERVER,
      CINDER_API_LISTEN: '127.0.0.1:0',
      CINDER_SCHEDULER_LISTEN: '127.0.0.1:0',
      CINDER_VOLUME_LISTEN: '127.0.0.1:0',
      CINDER_METRICS_LISTEN: '127.0.0.1:0',
      CINDER_LOG_FORMAT: 'json',
      ...environment,
    };
  }

  /** Where the public API listens. */
  get address(): string {
    return this.#address;
  }

  /** For a command line of the same installation. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  get process(): TestProcess {
    if (!this.#running) throw new Error('the installation does not run');
    return this.#running;
  }

  /**
   * Starts everything in one process; answers when it can be called. `program`: another than the product's own; `more`: what
   * this start alone has in its environment.
   */
  async start(
    program: readonly string[] = [CLI, 'serve', 'all'],
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    this.#running = processFor(this.#t, process.execPath, program, { env: { ...this.#environment, ...more } });
    const [, address = ''] = await this.#running.wrote(/(127\.0\.0\.1:\d+) cinder\.api\.v3\.Volumes\/CreateVolume/);
    this.#address = address;
  }

  /** Ends it in good order. */
  async stop(): Promise<number | string> {
    this.process.child.kill('SIGTERM');
    return this.process.ended();
  }

  /** A client of one project, closed with the test. */
  client(projectId = 'demo', roles = 'member'): Client {
    const client = new Client(this.#address, projectId, roles);
    this.#t.teardown(() => {
      client.close();
    });
    return client;
  }

  /** Where the content of a volume is. `pool`: its folder. */
  volumeFile(volumeId: string, pool = 'file/pool'): string {
    return join(this.folder, 'volumes', pool, `volume-${volumeId}`);
  }

  /** Reads the books of a stopped installation. `pool`: its folder. */
  books(pool = 'file/pool'): Books {
    const records = this.#all<{ id: string; status: string }>(
      'select id, status from volumes where deleted_at is null',
    );
    const workers = this.#all('select 1 from workers').length;
    const settlements = this.#all('select 1 from quota_settlements').length;
    const names = readdirSync(join(this.folder, 'volumes', pool));
    return {
      records: new Map(records.map(({ id, status }) => [id, status])),
      workers,
      settlements,
      files: names.filter((name) => name.startsWith('volume-')).map((name) => name.slice('volume-'.length)),
      halfMade: names.filter((name) => name.startsWith('.volume-')).length,
    };
  }

  /** What happened to a volume, in order; of a stopped installation. */
  events(volumeId: string): readonly string[] {
    const rows = this.#all<{ type: string }>('select type from events where resource_id = ? order by seq', volumeId);
    return rows.map(({ type }) => type);
  }

  #all<Row>(sql: string, ...values: string[]): Row[] {
    const database = new Database(join(this.folder, 'cinder.db'));
    try {
      return database.prepare(sql).all(...values) as Row[];
    } finally {
      database.close();
    }
  }
}

/** A user's client. */
export class Client {
  readonly #volumes: VolumesClient;
  readonly #quotas: QuotasClient;
  readonly #metadata = new Metadata();

  constructor(
    address: string,
    readonly projectId: string,
    roles: string,
  ) {
    this.#volumes = new VolumesClient(address, ChannelCredentials.createInsecure());
    this.#quotas = new QuotasClient(address, ChannelCredentials.createInsecure());
    this.#metadata.set('x-project-id', projectId);
    this.#metadata.set('x-roles', roles);
  }

  close(): void {
    this.#volumes.close();
    this.#quotas.close();
  }

  async create(request: Partial<CreateVolumeRequest> = {}, deadlineMs = 20_000): Promise<Volume> {
    const options = { deadline: Date.now() + deadlineMs };
    const { volume } = await new Promise<{ volume?: Volume | undefined }>((resolve, reject) => {
      this.#volumes.createVolume(
        CreateVolume.create({ size: 1, ...request }),
        this.#metadata,
        options,
        (error, answer) => {
          if (error) reject(error);
          else resolve(answer);
        },
      );
    });
    if (!volume) throw new Error('the answer has no volume');
    return volume;
  }

  /** Undefined: there is none. */
  async get(volumeId: string): Promise<Volume | undefined> {
    return new Promise((resolve, reject) => {
      this.#volumes.getVolume({ volumeId }, this.#metadata, { deadline: Date.now() + 20_000 }, (error, answer) => {
        if (error && !error.message.includes('NOT_FOUND')) reject(error);
        else resolve(error ? undefined : answer.volume);
      });
    });
  }

  async list(): Promise<readonly Volume[]> {
    return new Promise((resolve, reject) => {
      this.#volumes.listVolumes(
        ListVolumesRequest.fromPartial({ pageSize: 1_000, pageToken: '' }),
        this.#metadata,
        (error, answer) => {
          if (error) reject(error);
          else resolve(answer.volumes);
        },
      );
    });
  }

  async delete(volumeId: string, how: { readonly force?: boolean; readonly cascade?: boolean } = {}): Promise<void> {
    const request = { volumeId, cascade: false, force: false, idempotencyKey: undefined, ...how };
    await new Promise<void>((resolve, reject) => {
      this.#volumes.deleteVolume(request, this.#metadata, { deadline: Date.now() + 20_000 }, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** In use and reserved, of volumes and of gigabytes. */
  async usage(): Promise<Readonly<Record<'volumes' | 'gigabytes', readonly [inUse: number, reserved: number]>>> {
    return new Promise((resolve, reject) => {
      const request = { projectId: this.projectId, usage: true };
      this.#quotas.getQuotaSet(request, this.#metadata, { deadline: Date.now() + 20_000 }, (error, answer) => {
        const of = (name: string): readonly [number, number] => {
          const { inUse = NaN, reserved = NaN } = answer.quotaSet?.usage.get(name) ?? {};
          return [inUse, reserved];
        };
        if (error) reject(error);
        else resolve({ volumes: of('volumes'), gigabytes: of('gigabytes') });
      });
    });
  }

  /** Where quota in Redis differs from the records, in all projects; none: they agree. For administrators. */
  async quotaDifferences(): Promise<readonly string[]> {
    const metadata = this.#metadata.clone();
    metadata.set('x-roles', 'admin');
    return new Promise((resolve, reject) => {
      const request = { projectId: '', pageSize: 1_000, pageToken: '' };
      this.#quotas.checkQuotas(request, metadata, { deadline: Date.now() + 20_000 }, (error, answer) => {
        if (error) reject(error);
        else resolve(answer.differences.map((each) => JSON.stringify(each)));
      });
    });
  }

  /** Waits until the volume is available; throws when it ends otherwise. */
  async available(volumeId: string): Promise<Volume> {
    return until(async () => {
      const volume = await this.get(volumeId);
      if (volume?.status === VolumeStatus.ERROR) throw new Error(`${volumeId}: ${volume.statusReason ?? ''}`);
      return volume?.status === VolumeStatus.AVAILABLE ? volume : undefined;
    }, `${volumeId} to be available`);
  }

  /** Waits until the volume is gone. */
  async gone(volumeId: string): Promise<void> {
    await until(async () => ((await this.get(volumeId)) ? undefined : true), `${volumeId} to be gone`);
  }
}
