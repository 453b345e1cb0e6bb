import { once } from 'node:events';
import { ChannelCredentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { VolumesClient, type WatchVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { until } from './installation.js';

/** A watch that has begun. */
export interface Watching {
  /** What has come so far. */
  readonly changes: readonly WatchVolumesResponse[];
  /** How it ended, if it did: the error, or `end`. */
  readonly ended: () => ServiceError | 'end' | undefined;
  /** Waits until a change is what is looked for. */
  sees(what: string, isIt: (change: WatchVolumesResponse) => boolean): Promise<WatchVolumesResponse>;
  cancel(): void;
}

/** Watches a project's volumes; answers when the response headers are there. Cancelled with the test. */
export async function watchingFor(
  t: ExecutionContext,
  { address }: { readonly address: string },
  projectId: string,
  { resumeToken = '', volumeIds = [] }: { readonly resumeToken?: string; readonly volumeIds?: string[] } = {},
): Promise<Watching> {
  const metadata = new Metadata();
  metadata.set('x-project-id', projectId);
  const client = new VolumesClient(address, ChannelCredentials.createInsecure());
  const stream = client.watchVolumes({ resumeToken, volumeIds }, metadata);
  t.teardown(() => {
    stream.cancel();
    client.close();
  });
  const changes: WatchVolumesResponse[] = [];
  let ended: ServiceError | 'end' | undefined;
  stream.on('data', (change: WatchVolumesResponse) => changes.push(change));
  stream.on('end', () => (ended ??= 'end'));
  stream.on('error', (error: ServiceError) => (ended = error));
  await once(stream, 'metadata');
  return {
    changes,
    ended: () => ended,
    sees: (what, isIt) => until(async () => changes.find(isIt), `a watcher to see ${what}`),
    cancel: () => stream.cancel(),
  };
}
