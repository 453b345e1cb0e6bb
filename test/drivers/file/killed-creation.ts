import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { NewVolume } from '#src/drivers/driver.js';

/**
 * Run as a process of its own by `kill.test.ts`: creates a volume and is killed before its n-th system call.
 * Usage: node killed-creation.js <folder> <volume as JSON> <n>
 */
const [folder = '', json = '', nth = ''] = process.argv.slice(2);

let left = Infinity;
for (const name of ['open', 'ftruncate', 'fsync', 'close', 'link', 'unlink'] as const) {
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
const driver = new FileDriver({ backend: 'host@file', path: folder, pools: [{ name: 'pool' }] });
await driver.start(signal);
left = Number(nth);
await driver.createVolume(JSON.parse(json) as NewVolume, { signal, onProgress: () => undefined });
left = Infinity;
await driver.stop();
