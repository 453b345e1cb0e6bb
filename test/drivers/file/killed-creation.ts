import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { NewVolume, VolumePlace } from '#src/drivers/driver.js';

/**
 * Run as a process of its own by `kill.test.ts`: creates a volume, or clones one, and is killed before its n-th system call.
 * Usage: node killed-creation.js <folder> <volume as JSON> <n> [<source as JSON> <programs' PATH>]
 */
const [folder = '', json = '', nth = '', source = '', programPath = ''] = process.argv.slice(2);

let left = Infinity;
for (const name of ['open', 'ftruncate', 'fsync', 'closeSync', 'link', 'unlink', 'copyFile'] as const) {
  const call = fs[name] as (...args: unknown[]) => void;
  // `fs[name]` is a different type for each name; the wrapper passes everything on.
  (fs as unknown as Record<string, unknown>)[name] = (...args: unknown[]): void => {
    left -= 1;
    if (left <= 0) process.kill(process.pid, 'SIGKILL');
    call(...args);
  };
}
syncBuiltinESMExports();

// after the calls were wrapped: the driver takes them when it is loaded
const { FileDriver } = await import('#src/drivers/file/file-driver.js');
const { signal } = new AbortController();
const programs = programPath ? { programPath } : {};
const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }], ...programs });
await driver.start(signal);
left = Number(nth);
const volume = JSON.parse(json) as NewVolume;
const work = { signal, onProgress: () => undefined };
await (source
  ? driver.createClonedVolume(volume, JSON.parse(source) as VolumePlace, work)
  : driver.createVolume(volume, work));
left = Infinity;
await driver.stop();
