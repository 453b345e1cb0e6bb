import { chmod, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { folderFor } from './folder.js';
import { until } from './installation.js';

/** Where the real programs are. */
export const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin';

/** A cp(1) that has written a little and then waits. */
export interface GatedCopy {
  /** A PATH on which it comes first. */
  readonly path: string;
  /** Waits until it has written a little; answers the copy's process id. */
  begun(): Promise<number>;
  /** Lets this copy and later ones go on to their end. */
  open(): Promise<void>;
}

/** A PATH with a program of the test's own in front. `script`: of sh(1). */
export async function programFor(
  t: Pick<ExecutionContext, 'teardown'>,
  name: string,
  script: string,
): Promise<{ readonly path: string; readonly folder: string }> {
  const folder = await folderFor(t);
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, name), 0o755);
  return { folder, path: [folder, SYSTEM_PATH].join(delimiter) };
}

/** Puts a cp(1) on a PATH that stands still in the middle of its copy. */
export async function gatedCopy(t: Pick<ExecutionContext, 'teardown'>): Promise<GatedCopy> {
  const { folder, path } = await programFor(
    t,
    'cp',
    `head -c 65536 <&3 >&4; cd "\${0%/*}"; echo $$ >begun.new; mv begun.new begun
     while [ ! -e open ]; do sleep 0.05; done
     exec env PATH=${SYSTEM_PATH} cp "$@"`,
  );
  return {
    path,
    begun: () =>
      until(
        async () =>
          existsSync(join(folder, 'begun')) ? Number(await readFile(join(folder, 'begun'), 'utf8')) : undefined,
        'a copy to begin',
      ),
    open: () => writeFile(join(folder, 'open'), ''),
  };
}

/** Waits until a process is gone. */
export async function processGone(pid: number): Promise<void> {
  await until(async () => (existsSync(`/proc/${pid}`) ? undefined : true), `process ${pid} to be gone`, 10_000);
}
