import { constants, open as openFile, close as closeFile } from 'node:fs';
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { QuarantinedVolume } from '../inventory.js';
import { quarantinedName, readQuarantinedName } from './file-names.js';
import { FolderSync } from './folder-sync.js';
import { namesIn } from './names-in.js';
import { codeOf, publish, remove } from './sparse-file.js';

/** Beside the volumes, so that putting one away copies nothing; no volume has such a name. */
const FOLDER = '.quarantine';
/** How often a volume of one id can be put away. */
const MOST_OF_ONE = 1_000;

const open = promisify(openFile);
const close = promisify(closeFile);

/** The folder of a pool in which files are put away that no record explains. It is made when it is first needed. */
export class Quarantine {
  readonly #pool: string;
  readonly #path: string;

  /** `poolPath`: the folder of the pool. */
  constructor(pool: string, poolPath: string) {
    this.#pool = pool;
    this.#path = join(poolPath, FOLDER);
  }

  /** Gives a file its name here, durably; its former name is the caller's to remove. False: the file is not there. */
  async take(path: string, id: string): Promise<boolean> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    for (let nth = 1; nth <= MOST_OF_ONE; nth += 1) {
      try {
        if (!(await publish(path, join(this.#path, quarantinedName(id, nth))))) continue;
        await this.#sync();
        return true;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return false;
        throw error;
      }
    }
    throw new Error(`${this.#path} has ${MOST_OF_ONE} files of volume ${id}`);
  }

  /**
   * What is here; the time of a file's last change of name is when it was put away, unless it was written later: then the
   * clock was behind by the time it was put away.
   */
  async *list(signal: AbortSignal): AsyncGenerator<readonly QuarantinedVolume[]> {
    for await (const names of namesIn(this.#path, signal)) {
      const found = await Promise.all(names.map((name) => this.#look(name)));
      yield found.filter((each) => each !== undefined);
    }
  }

  async remove({ name }: Pick<QuarantinedVolume, 'name'>): Promise<void> {
    if (readQuarantinedName(name) === undefined) throw new TypeError(`not a name of the quarantine: ${name}`);
    await remove(join(this.#path, name));
  }

  async #look(name: string): Promise<QuarantinedVolume | undefined> {
    const id = readQuarantinedName(name);
    if (id === undefined) return undefined;
    try {
      const { ctimeMs, mtimeMs } = await lstat(join(this.#path, name));
      return { id, pool: this.#pool, name, since: Math.max(ctimeMs, mtimeMs) };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #sync(): Promise<void> {
    const descriptor = await open(this.#path, constants.O_RDONLY | constants.O_DIRECTORY, 0);
    try {
      await new FolderSync(descriptor).sync();
    } finally {
      await close(descriptor);
    }
  }
}
