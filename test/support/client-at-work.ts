import type { ExecutionContext } from 'ava';
import { type CinderClient, type Volume, VolumeStatus, waitForVolume } from '#src/client/index.js';
import { until } from './installation.js';

const { AVAILABLE, CREATING, DELETED, DELETING, DOWNLOADING } = VolumeStatus;
/** Callers at the same time. */
const CALLERS = 4;
/** How long one volume may take, with services going down meanwhile, ms. */
const PATIENCE_MS = 60_000;

/** A client at work, without a pause, until it is told to stop. Nothing it asks for may fail. */
export interface Work {
  /** Waits until some more of it is done: a round of every caller. Throws what a call has thrown. */
  goesOn(): Promise<void>;
  /** Ends it, after the rounds under way: the volumes that must be there now, and no others. Throws what a call has thrown. */
  stop(): Promise<ReadonlySet<string>>;
}

/** Makes volumes, clones them, deletes the sources, reads and lists, and waits for each by watching. */
export function atWork(t: Pick<ExecutionContext, 'teardown'>, client: CinderClient): Work {
  const kept = new Set<string>();
  const leaving = new AbortController();
  t.teardown(() => leaving.abort());
  let [rounds, isStopped] = [0, false];
  const caller = async (): Promise<void> => {
    while (!isStopped) {
      const source = await made(client, { size: 1 }, leaving.signal);
      const clone = await made(client, { sourceVolumeId: source }, leaving.signal);
      await client.volumes.getVolume({ volumeId: clone });
      await client.volumes.listVolumes({ pageSize: 1 });
      await client.volumes.deleteVolume({ volumeId: source });
      await gone(client, source, leaving.signal);
      kept.add(clone);
      rounds += 1;
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, caller)).catch((error: unknown) => {
    isStopped = true;
    throw error;
  });
  callers.catch(() => undefined); // thrown where it is waited for
  return {
    async goesOn() {
      const enough = rounds + CALLERS;
      const more = until(async () => (rounds >= enough || isStopped ? true : undefined), 'rounds of work', PATIENCE_MS);
      await Promise.race([callers, more]);
    },
    async stop() {
      isStopped = true;
      await callers;
      return kept;
    },
  };
}

/** The volumes of the client's project are these, available, and no others. */
export async function onlyThese(t: ExecutionContext, client: CinderClient, ids: ReadonlySet<string>): Promise<void> {
  const { volumes, nextPageToken } = await client.volumes.listVolumes({ pageSize: 1_000 });
  t.is(nextPageToken, '');
  const found = volumes.map(({ id, status }) => `${id} ${status}`).toSorted();
  t.deepEqual(found, [...ids].map((id) => `${id} ${AVAILABLE}`).toSorted(), 'one volume for each answer');
}

/** Makes a volume and waits until it is there: its id. */
async function made(
  client: CinderClient,
  request: { readonly size: number } | { readonly sourceVolumeId: string },
  signal: AbortSignal,
): Promise<string> {
  const { volume } = await client.volumes.createVolume(request);
  const id = volume?.id ?? '';
  const last = await settled(client, id, [CREATING, DOWNLOADING], signal);
  if (last?.status !== AVAILABLE) throw unexpected(id, last);
  return id;
}

async function gone(client: CinderClient, id: string, signal: AbortSignal): Promise<void> {
  const last = await settled(client, id, [DELETING], signal);
  if (last && last.status !== DELETED) throw unexpected(id, last);
}

/** Waits until a volume is in none of these statuses, and answers it as it is then. */
function settled(
  client: CinderClient,
  id: string,
  transient: readonly VolumeStatus[],
  signal: AbortSignal,
): Promise<Volume | undefined> {
  const isDone = (volume: Volume | undefined): boolean => volume === undefined || !transient.includes(volume.status);
  return waitForVolume(client, id, isDone, { timeoutMs: PATIENCE_MS, signal });
}

function unexpected(id: string, volume: Volume | undefined): Error {
  return new Error(`volume ${id} is ${volume?.status ?? 'gone'}: ${volume?.statusReason ?? ''}`);
}
