import { close, constants, fstat, open } from 'node:fs';
import { access, mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '../../errors/fault.js';
import {
  GIB,
  type HalfMade,
  type NewVolume,
  type PoolCapacity,
  type StoredVolume,
  type VolumePlace,
  type Work,
} from '../driver.js';
import type { StoredName } from '../inventory.js';
import { halfMadeName, readName, volumeName } from './file-names.js';
import { FolderSync } from './folder-sync.js';
import { DEFAULT_RATIO, type PoolFigures, type PoolLimits, promisableGib } from './pool-limits.js';
import { namesIn } from './names-in.js';
import { Promised } from './promised.js';
import { Quarantine } from './quarantine.js';
import { copySparse, type SparseCopyOptions } from './sparse-copy.js';
import { codeOf, publish, remove, sizeOf, spaceOf, withSource, writeReflink, writeSparse } from './sparse-file.js';

/** How many files are looked at together at the start. */
const SCAN_BATCH = 64;

/** A volume's file that is to be copied, and the size it must have. */
export interface SourceFile {
  readonly path: string;
  readonly sizeGib: number;
}

/** One pool: a folder of sparse files, open between `open` and `close`. A file has its final name only when it is whole. */
export class PoolFolder {
  readonly name: string;
  readonly quarantined: Quarantine;
  readonly #path: string;
  readonly #limits: PoolLimits;
  readonly #descriptor: number;
  readonly #entries: FolderSync;
  #figures: PoolFigures = { totalGib: 0, freeGib: 0, provisionedGib: 0 };
  readonly #promised = new Promised();

  private constructor(name: string, path: string, limits: PoolLimits, descriptor: number) {
    this.name = name;
    this.quarantined = new Quarantine(name, path);
    this.#path = path;
    this.#limits = limits;
    this.#descriptor = descriptor;
    this.#entries = new FolderSync(descriptor);
  }

  /** Opens the folder; one that is not known yet is made if need be. */
  static async open(name: string, path: string, limits: PoolLimits, isKnown: boolean): Promise<PoolFolder> {
    if (!isKnown) await mkdir(path, { recursive: true, mode: 0o700 });
    const descriptor = await promisify(open)(path, constants.O_RDONLY | constants.O_DIRECTORY, 0);
    return new PoolFolder(name, path, limits, descriptor);
  }

  /** How many volumes it has, whole or on their way. */
  get volumeCount(): number {
    return this.#promised.ids.size;
  }

  /** Throws when the folder is gone, is another one by now, as below a file system that was unmounted, or cannot be written. */
  async check(): Promise<void> {
    const [here, opened] = await Promise.all([stat(this.#path), promisify(fstat)(this.#descriptor)]);
    if (here.ino !== opened.ino || here.dev !== opened.dev) {
      throw refusal(this.name, 'its folder is another one than before: was its file system unmounted?');
    }
    await access(this.#path, constants.W_OK | constants.X_OK);
  }

  async close(): Promise<void> {
    await promisify(close)(this.#descriptor);
  }

  /** What of ours is in the folder; from here on the pool knows what it has promised. */
  async scan(signal: AbortSignal): Promise<readonly StoredVolume[]> {
    const names = await readdir(this.#path);
    const stored: StoredVolume[] = [];
    for (let from = 0; from < names.length; from += SCAN_BATCH) {
      signal.throwIfAborted();
      const found = await Promise.all(names.slice(from, from + SCAN_BATCH).map((name) => this.#look(name)));
      for (const volume of found) if (volume) stored.push(volume);
    }
    for (const volume of stored) {
      // what is no file, though it has the name of one, takes no room that can be counted
      if (volume.kind === 'complete' && !Number.isNaN(volume.sizeBytes)) {
        this.#promised.add(volume.id, volume.sizeBytes / GIB);
      }
    }
    await this.capacity();
    return stored;
  }

  async #look(name: string): Promise<StoredVolume | undefined> {
    const read = readName(name);
    if (!read) return undefined;
    const { id, epoch } = read;
    const sizeBytes = await sizeOf(join(this.#path, name));
    if (sizeBytes === undefined) return undefined;
    if (epoch === undefined) return { kind: 'complete', id, pool: this.name, sizeBytes };
    // nobody of ours makes anything but files: what else has such a name is not to be removed
    return Number.isNaN(sizeBytes) ? undefined : { kind: 'half-made', id, pool: this.name, epoch };
  }

  /** The file system's figures, within the pool's own bound. */
  async capacity(): Promise<PoolCapacity> {
    const { bsize, blocks, bavail } = await statfs(this.#path);
    const totalGib = Math.min((blocks * bsize) / GIB, this.#limits.capacityGib ?? Infinity);
    const freeGib = Math.min((bavail * bsize) / GIB, totalGib);
    this.#figures = { totalGib, freeGib, provisionedGib: this.#promised.gib };
    return {
      name: this.name,
      ...this.#figures,
      volumes: this.#promised.ids,
      reservedPercentage: this.#limits.reservedPercentage ?? 0,
      maxOverSubscriptionRatio: this.#limits.maxOverSubscriptionRatio ?? DEFAULT_RATIO,
    };
  }

  /**
   * Makes the volume's file under a name of this epoch, gives it its final name, and makes that durable. A whole file that
   * is there already is the volume. Leaves nothing of its own epoch behind, however it ends.
   */
  create(volume: NewVolume, signal: AbortSignal): Promise<void> {
    return this.#make(volume, signal, (halfMade) => writeSparse(halfMade, volume.sizeGib * GIB));
  }

  /**
   * As `create`, with the content of a volume of this pool or another one. Where the file system can, the two share their
   * blocks, which takes no time and no room; else the data are copied.
   */
  clone(volume: NewVolume, from: SourceFile, work: Work, options: SparseCopyOptions): Promise<void> {
    if (from.sizeGib > volume.sizeGib) throw refusal(this.name, `the source has ${from.sizeGib} GiB`);
    return this.#make(volume, work.signal, (halfMade) => this.#copy(from, halfMade, volume, work, options));
  }

  /** Where a volume of this pool is, for a pool that copies it. */
  sourceFile({ id, sizeGib }: VolumePlace): SourceFile {
    return { path: join(this.#path, volumeName(id)), sizeGib };
  }

  async #copy(
    from: SourceFile,
    halfMade: string,
    { sizeGib }: NewVolume,
    work: Work,
    options: SparseCopyOptions,
  ): Promise<void> {
    await withSource(from.path, async (source) => {
      const { sizeBytes, usedBytes } = await spaceOf(source);
      if (sizeBytes !== from.sizeGib * GIB) throw refusal(this.name, `the source is not a file of ${from.sizeGib} GiB`);
      if (await writeReflink(source, halfMade, sizeGib * GIB)) return;
      await this.#checkSpace(usedBytes);
      await writeSparse(halfMade, sizeGib * GIB, (target) => copySparse(source, target, work, options));
    });
  }

  /** A copy that cannot fit does not begin: it would fill the device for everybody. */
  async #checkSpace(bytes: number): Promise<void> {
    const { bsize, bavail } = await statfs(this.#path);
    if (bytes > bavail * bsize) throw refusal(this.name, `no space is left on the device for ${bytes} bytes of data`);
  }

  async #make(volume: NewVolume, signal: AbortSignal, write: (halfMade: string) => Promise<void>): Promise<void> {
    if (volume.resumed) {
      await this.discard({ ...volume, epoch: volume.epoch - 1 });
      if (await this.#isThere(volume)) return this.#entries.sync(); // its owner may have died before this
    }
    const halfMade = join(this.#path, halfMadeName(volume.id, volume.epoch));
    const whole = this.#pathOf(volume);
    const isNew = this.#promise(volume);
    let isThere = false;
    try {
      await write(halfMade);
      signal.throwIfAborted();
      isThere = (await publish(halfMade, whole)) || (await this.#isThere(volume));
      if (!isThere) throw refusal(this.name, 'the volume vanished meanwhile');
      await this.#entries.sync();
    } finally {
      if (isNew && !isThere) this.#promised.remove(volume.id);
      await remove(halfMade);
    }
  }

  /** Removes the volume's file, for good; absent is done. */
  async delete(volume: VolumePlace): Promise<void> {
    await remove(this.#pathOf(volume));
    this.#promised.remove(volume.id);
    await this.#entries.sync(); // also if it was absent: a former owner may have died between the two
  }

  async discard({ id, epoch }: Pick<HalfMade, 'id' | 'epoch'>): Promise<void> {
    if (epoch >= 1) await remove(join(this.#path, halfMadeName(id, epoch)));
  }

  /** What of ours is in the folder now, by name. */
  async *list(signal: AbortSignal): AsyncGenerator<readonly StoredName[]> {
    for await (const names of namesIn(this.#path, signal)) {
      yield names.flatMap((name): StoredName[] => {
        const read = readName(name);
        if (!read) return [];
        const { id, epoch } = read;
        const { name: pool } = this;
        return [epoch === undefined ? { kind: 'complete', id, pool } : { kind: 'half-made', id, pool, epoch }];
      });
    }
  }

  /** Size of a volume's file; undefined: there is none; NaN: it is no file. */
  sizeOf(id: string): Promise<number | undefined> {
    return sizeOf(this.#pathOf({ id }));
  }

  /** Puts a volume's file away; false: there is none. At every moment it has one of the two names. */
  async quarantine(id: string): Promise<boolean> {
    const path = this.#pathOf({ id });
    if (!(await this.quarantined.take(path, id))) return false;
    await remove(path);
    this.#promised.remove(id);
    await this.#entries.sync();
    return true;
  }

  /** Whether the whole volume is there. Throws if something else has its name. */
  async #isThere(volume: VolumePlace): Promise<boolean> {
    const size = await sizeOf(this.#pathOf(volume));
    if (size === undefined) return false;
    if (size === volume.sizeGib * GIB) return true;
    throw refusal(this.name, `the file of volume ${volume.id} is there, but is not a file of ${volume.sizeGib} GiB`);
  }

  #pathOf({ id }: Pick<VolumePlace, 'id'>): string {
    return join(this.#path, volumeName(id));
  }

  /** The host has the last word on its capacity: schedulers decide on figures that are seconds old. */
  #promise({ id, sizeGib }: NewVolume): boolean {
    if (this.#promised.has(id)) return false;
    const { gib } = this.#promised;
    const limit = promisableGib({ ...this.#figures, provisionedGib: gib }, this.#limits);
    if (gib + sizeGib > limit) {
      const full = `it may promise ${limit.toFixed(2)} GiB and has promised ${gib.toFixed(2)} GiB`;
      throw refusal(this.name, `no room for ${sizeGib} GiB: ${full}`);
    }
    return this.#promised.add(id, sizeGib);
  }
}

/** What went wrong in a pool, as the fault that lets another backend try. Faults and aborts stay what they are. */
export function poolFault(pool: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === '') return error;
  return refusal(
    pool,
    code === 'ENOSPC' ? 'no space is left on the device' : `the file system answered ${code}`,
    error,
  );
}

function refusal(pool: string, reason: string, cause?: unknown): Fault {
  return new Fault('VolumeBackendAPIException', { reason: `pool '${pool}': ${reason}.` }, { cause });
}
