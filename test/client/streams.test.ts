import test, { type ExecutionContext } from 'ava';
import {
  type Volume,
  VolumeStatus,
  waitForVolume,
  watchVolumes,
  type WatchVolumesResponse,
} from '#src/client/index.js';
import { Fault } from '#src/errors/fault.js';
import { GetVolumeResponse, Volume as VolumeType } from '#src/gen/cinder/api/v3/volumes.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import type { PublicStream } from '#src/rpc/public-server.js';
import { clientFor } from '../support/client.js';
import { milestone, until, volumesServer } from '../support/rpc.js';

const { AVAILABLE, CREATING, DELETING } = VolumeStatus;

const volumeIn = (status: VolumeStatus): Volume => VolumeType.create({ id: 'v1', status });

/** A service whose changes are numbered, and whose tokens are these numbers. */
class Changes {
  readonly #all: Volume[] = [];
  readonly #waiting = new Set<() => void>();
  /** From which token each watch was asked to go on. */
  readonly askedFrom: string[] = [];
  /** Refuses so many watches, one after the other, with what is here. */
  readonly refusals: Fault[] = [];

  /** A change whose number is its revision. */
  push(status: VolumeStatus): void {
    this.#all.push({ ...volumeIn(status), revision: this.#all.length + 1 });
    for (const wake of this.#waiting) wake();
  }

  watch(resumeToken: string, signal: AbortSignal): PublicStream<WatchVolumesResponse> {
    this.askedFrom.push(resumeToken);
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    const start = resumeToken === '' ? this.#all.length : Number(resumeToken);
    return { headers: { 'x-resume-token': `${start}` }, [Symbol.asyncIterator]: () => this.#read(start, signal) };
  }

  get latest(): Volume | undefined {
    return this.#all.at(-1);
  }

  async *#read(start: number, signal: AbortSignal): AsyncGenerator<WatchVolumesResponse> {
    for (let at = start; ;) {
      for (; at < this.#all.length; at += 1) {
        yield { volume: this.#all[at], resumeToken: `${at + 1}`, progressPercent: undefined };
      }
      const { reached, reach } = milestone();
      this.#waiting.add(reach);
      signal.addEventListener('abort', reach);
      await reached;
      this.#waiting.delete(reach);
      signal.throwIfAborted();
    }
  }
}

async function serve(t: ExecutionContext, changes: Changes, address = '127.0.0.1:0'): Promise<ListeningServer> {
  return volumesServer(
    t,
    {
      watchVolumes: async ({ resumeToken }, { signal }) => changes.watch(resumeToken, signal),
      getVolume: async ({ volumeId }) => {
        if (!changes.latest) throw new Fault('VolumeNotFound', { volumeId });
        return GetVolumeResponse.create({ volume: changes.latest });
      },
    },
    { address },
  );
}

/** The next `count` revisions that a watch brings. */
async function next(watch: AsyncGenerator<WatchVolumesResponse, void>, count: number): Promise<readonly number[]> {
  const revisions: number[] = [];
  while (revisions.length < count) {
    const { value } = (await watch.next()) as IteratorYieldResult<WatchVolumesResponse>;
    revisions.push(value.volume?.revision ?? 0);
  }
  return revisions;
}

test('a watch goes on over restarts of the service, each change once and in order, also before its first change', async (t) => {
  const changes = new Changes();
  changes.push(CREATING);
  let server = await serve(t, changes);
  const watch = watchVolumes(clientFor(t, server));
  const first = next(watch, 2);
  await until('the watch has begun', () => changes.askedFrom.length > 0);

  const restart = async (): Promise<void> => {
    await server.stop(1_000);
    changes.push(AVAILABLE); // while nobody is there to tell it
    server = await serve(t, changes, server.address);
  };
  await restart();
  changes.push(DELETING);
  t.deepEqual(await first, [2, 3]);
  await restart();
  changes.push(DELETING);
  t.deepEqual(await next(watch, 2), [4, 5]);
  await watch.return();
  t.deepEqual([...new Set(changes.askedFrom)], ['', '1', '3']);
});

test('a watch that was too slow goes on from its last change; any other refusal ends it', async (t) => {
  const changes = new Changes();
  const server = await serve(t, changes);
  const watch = watchVolumes(clientFor(t, server), { resumeToken: '0' });
  changes.push(CREATING);
  changes.refusals.push(new Fault('WatchTooSlow', { buffered: 9 }));
  t.deepEqual(await next(watch, 1), [1]);
  changes.refusals.push(new Fault('InvalidInput', { violations: [], omitted: 0 }));
  await server.stop(0);
  await serve(t, changes, server.address);
  t.like(await t.throwsAsync(watch.next()), { reason: 'INVALID_INPUT' });
  t.deepEqual(changes.askedFrom, ['0', '0', '1']);
});

test('a watch ends when the service stays away for longer than its reader is patient, and with its signal', async (t) => {
  const changes = new Changes();
  const server = await serve(t, changes);
  const client = clientFor(t, server);
  const leaving = new AbortController();
  const cancelled = watchVolumes(client, { signal: leaving.signal }).next();
  await until('the watch has begun', () => changes.askedFrom.length > 0);
  leaving.abort();
  t.like(await t.throwsAsync(cancelled), { code: 'CANCELLED' });

  await server.stop(0);
  const start = performance.now();
  const impatient = watchVolumes(clientFor(t, server), { patienceMs: 500 });
  t.like(await t.throwsAsync(impatient.next()), { code: 'UNAVAILABLE' });
  t.true(performance.now() - start < 20_000);
});

test('leaving a watch ends it at the service', async (t) => {
  const changes = new Changes();
  changes.push(CREATING);
  const { reached: ended, reach: end } = milestone();
  const server = await volumesServer(t, {
    watchVolumes: async (_, { signal }) => {
      signal.addEventListener('abort', end);
      return changes.watch('0', signal);
    },
  });
  for await (const change of watchVolumes(clientFor(t, server))) {
    t.is(change.resumeToken, '1');
    break;
  }
  await ended;
  t.pass();
});

test('waiting for a volume answers at once when it is so already, and when it is gone', async (t) => {
  const changes = new Changes();
  const client = clientFor(t, await serve(t, changes));
  t.is(await waitForVolume(client, 'v1', (volume) => volume === undefined), undefined);
  changes.push(AVAILABLE);
  t.like(await waitForVolume(client, 'v1', (volume) => volume?.status === AVAILABLE), { revision: 1 });
});

test('waiting for a volume tells every change on the way, over a restart of the service', async (t) => {
  const changes = new Changes();
  changes.push(CREATING);
  let server = await serve(t, changes);
  const told: string[] = [];
  const { reached: begun, reach: begin } = milestone();
  const waiting = waitForVolume(clientFor(t, server), 'v1', (volume) => (begin(), volume?.status === AVAILABLE), {
    onChange: ({ volume }) => told.push(volume?.status ?? ''),
  });
  await begun;
  await server.stop(1_000);
  changes.push(DELETING);
  server = await serve(t, changes, server.address);
  changes.push(AVAILABLE);
  t.like(await waiting, { status: AVAILABLE, revision: 3 });
  t.deepEqual(told, [DELETING]);
});

test('waiting in vain ends at the deadline and says how the volume is', async (t) => {
  const changes = new Changes();
  changes.push(CREATING);
  const client = clientFor(t, await serve(t, changes));
  const error = await t.throwsAsync(
    waitForVolume(client, 'v1', () => false, { timeoutMs: 1_000 }),
    { message: 'Volume v1 was waited for in vain for 1000 ms; it is VOLUME_STATUS_CREATING.' },
  );
  t.like(error, { code: 'DEADLINE_EXCEEDED' });
  const call = new AbortController();
  const cancelled = t.throwsAsync(waitForVolume(client, 'v1', () => false, { signal: call.signal }));
  call.abort();
  t.like(await cancelled, { code: 'CANCELLED' });
});
