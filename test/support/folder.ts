import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ExecutionContext } from 'ava';

/** A folder of the test's own, gone with it. */
export async function folderFor(t: Pick<ExecutionContext, 'teardown'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cinder-grpc-test-'));
  t.teardown(() => removeFolder(folder));
  return folder;
}

/** Removes a folder with all that is in it, also when a process that is just ending writes its last file there. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
