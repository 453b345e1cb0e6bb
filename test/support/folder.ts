import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ExecutionContext } from 'ava';

/** A folder of the test's own, gone with it. */
export async function folderFor(t: Pick<ExecutionContext, 'teardown'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cinder-grpc-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
