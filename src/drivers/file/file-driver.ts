import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../errors/fault.js';
import type {
  DriverCapabilities,
  HalfMade,
  NewVolume,
  PoolCapacity,
  StoredVolume,
  VolumeDriver,
  VolumePlace,
  Work,
} from '../driver.js';
import { FileInventory } from './file-inventory.js';
import { isPoolName } from './file-names.js';
import { type FolderLock, lockFolder } from './folder-lock.js';
import { PoolFolder, poolFault } from './pool-folder.js';
import type { PoolLimits } from './pool-limits.js';

export interface FileDriverOptions {
  /** `host@backend`, for errors. */
  readonly backend: string;
  /** The backend's folder; made if need be. It belongs to one process at a time. */
  readonly path: string;
  /** At least one; names are folders below `path`. */
  readonly pools: readonly PoolOptions[];
  /** Where the programs that copy are looked for. @default /usr/local/bin:/usr/bin:/bin */
  readonly programPath?: string;
}

const PROGRAM_PATH = '/usr/local/bin:/usr/bin:/bin';

export interface PoolOptions extends PoolLimits {
  readonly name: string;
}

/** Volumes as sparse files: `<path>/<pool>/volume-<id>`. Rule: docs/protocols.md §W VOLUME, DELETE. */
export class FileDriver implements VolumeDriver {
  readonly capabilities: DriverCapabilities = {
    vendorName: 'Open Source',
    driverVersion: '1.0.0',
    storageProtocol: 'file',
    thinProvisioning: true,
    thickProvisioning: false,
    multiattach: false,
    sharedTargets: false,
  };

  readonly inventory = new FileInventory({
    all: () => this.#startedPools(),
    get: (name) => this.#pool(name),
  });

  readonly #options: FileDriverOptions;
  readonly #pools = new Map<string, PoolFolder>();
  #lock: FolderLock | undefined;
  /** Volumes that were there when it was stopped; undefined: it was not started yet. */
  #leftBehind: number | undefined;

  /** Throws RangeError when the pools' names will not do. */
  constructor(options: FileDriverOptions) {
    const names = options.pools.map(({ name }) => name);
    const bad = names.find((name, index) => !isPoolName(name) || names.indexOf(name) !== index);
    if (bad !== undefined || names.length === 0)
      throw new RangeError(`${options.backend}: no good pools: '${names.join("', '")}'`);
    this.#options = options;
  }

  async start(signal: AbortSignal): Promise<readonly StoredVolume[]> {
    await this.stop();
    const leftBehind = this.#leftBehind;
    const isKnown = leftBehind !== undefined;
    try {
      if (!isKnown) await mkdir(this.#options.path, { recursive: true, mode: 0o700 });
      this.#lock = lockFolder(this.#options.path);
      const stored: StoredVolume[] = [];
      for (const { name, ...limits } of this.#options.pools) {
        const pool = await PoolFolder.open(name, join(this.#options.path, name), limits, isKnown);
        this.#pools.set(name, pool);
        stored.push(...(await pool.scan(signal)));
      }
      await this.check();
      if (isKnown && leftBehind > 0 && stored.every(({ kind }) => kind !== 'complete')) {
        const reason = `none of its ${leftBehind} volumes is there: is its file system mounted?`;
        throw new Fault('VolumeBackendAPIException', { reason });
      }
      return stored;
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.#lock) this.#leftBehind = [...this.#pools.values()].reduce((sum, pool) => sum + pool.volumeCount, 0);
    await this.#close();
  }

  async #close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.close()));
    this.#lock?.release();
    this.#lock = undefined;
  }

  async check(): Promise<void> {
    await Promise.all(this.#startedPools().map(({ name }) => this.#in(name, (pool) => pool.check())));
  }

  async capacity(): Promise<readonly PoolCapacity[]> {
    return Promise.all(this.#startedPools().map(({ name }) => this.#in(name, (pool) => pool.capacity())));
  }

  async createVolume(volume: NewVolume, { signal, onProgress }: Work): Promise<void> {
    await this.#in(volume.pool, (pool) => pool.create(volume, signal));
    onProgress(100);
  }

  async createClonedVolume(volume: NewVolume, source: VolumePlace, work: Work): Promise<void> {
    const { programPath = PROGRAM_PATH } = this.#options;
    const from = this.#pool(source.pool).sourceFile(source);
    await this.#in(volume.pool, (pool) => pool.clone(volume, from, work, { programPath }));
    work.onProgress(100);
  }

  deleteVolume(volume: VolumePlace): Promise<void> {
    return this.#in(volume.pool, (pool) => pool.delete(volume));
  }

  discard(remains: HalfMade): Promise<void> {
    return this.#in(remains.pool, (pool) => pool.discard(remains));
  }

  /** Throws DriverNotInitialized. */
  #startedPools(): readonly PoolFolder[] {
    if (!this.#lock) throw new Fault('DriverNotInitialized', { backend: this.#options.backend });
    return [...this.#pools.values()];
  }

  /** Throws DriverNotInitialized, VolumeBackendAPIException. */
  #pool(name: string): PoolFolder {
    if (!this.#lock) throw new Fault('DriverNotInitialized', { backend: this.#options.backend });
    const pool = this.#pools.get(name);
    if (!pool) throw new Fault('VolumeBackendAPIException', { reason: `there is no pool '${name}'.` });
    return pool;
  }

  async #in<T>(name: string, work: (pool: PoolFolder) => Promise<T>): Promise<T> {
    const pool = this.#pool(name);
    try {
      return await work(pool);
    } catch (error) {
      throw poolFault(name, error);
    }
  }
}
