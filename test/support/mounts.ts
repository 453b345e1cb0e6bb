import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

/** A test that mounts file systems of its own: root may, and others in a namespace that lets them. */
export const mountTest = canMount() ? test : test.skip;

/** A small file system in memory, gone with the test. */
export interface SmallDevice {
  readonly path: string;
  /** Mounts it again, with other options, e.g. `ro`; nothing on it may be open for writing. */
  remount(options: string): void;
  /** Fills it to the last block. */
  fill(): Promise<void>;
  /** Makes the room free again that `fill` took. */
  free(): Promise<void>;
  /** Takes it away, whatever is open on it; its path is an empty folder then. */
  unmount(): void;
}

/** Mounts a tmpfs at a folder. `options`: of mount(8), e.g. `size=4m`. */
export async function smallDeviceAt(
  t: Pick<ExecutionContext, 'teardown'>,
  path: string,
  options: string,
): Promise<SmallDevice> {
  await mkdir(path, { recursive: true });
  mount(path, options);
  let isMounted = true;
  const device: SmallDevice = {
    path,
    remount: (other) => run('mount', '-o', `remount,${other}`, path),
    async fill() {
      const ballast = join(path, BALLAST);
      await writeFile(ballast, Buffer.alloc(MOST_BYTES)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      });
    },
    free: () => rm(join(path, BALLAST), { force: true }),
    unmount() {
      if (isMounted) run('umount', '-l', path);
      isMounted = false;
    },
  };
  t.teardown(() => device.unmount());
  return device;
}

/** A folder that stands at another place too, gone from there with the test. */
export interface BoundFolder {
  /** Lets it be read only there, or no more. */
  setReadOnly(isReadOnly: boolean): void;
  /** Takes it away; what is below it shows. */
  unbind(): void;
  /** Brings it back. */
  bind(): void;
}

/** Binds a folder to another place. */
export async function boundAt(t: Pick<ExecutionContext, 'teardown'>, from: string, to: string): Promise<BoundFolder> {
  await mkdir(to, { recursive: true });
  let isBound = false;
  const bound: BoundFolder = {
    setReadOnly: (isReadOnly) => run('mount', '-o', `remount,bind,${isReadOnly ? 'ro' : 'rw'}`, to),
    unbind() {
      if (isBound) run('umount', '-l', to);
      isBound = false;
    },
    bind() {
      run('mount', '--bind', from, to);
      isBound = true;
    },
  };
  bound.bind();
  t.teardown(() => bound.unbind());
  return bound;
}

const BALLAST = 'ballast';
/** More than any small device has. */
const MOST_BYTES = 64 * 2 ** 20;

function mount(path: string, options: string): void {
  run('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', path);
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'cinder-grpc-mount-'));
  try {
    mount(path, 'size=1m');
    run('umount', '-l', path);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(path);
  }
}
