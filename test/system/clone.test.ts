import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { VolumeStatus, type WatchVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { type Client, Installation, installationFor, until } from '../support/installation.js';
import { gatedCopy, processGone } from '../support/programs.js';
import { postgresTest } from '../support/sql.js';
import { turns } from '../support/turns.js';
import { watchingFor } from '../support/watching.js';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const { AVAILABLE } = VolumeStatus;

/** Each case is one process or several. */
const turn = turns(2);

test('a clone has every byte of its source, a larger one and a clone of a clone too; a watcher sees them grow', async (t) => {
  await turn(t);
  const gate = await gatedCopy(t);
  const installation = await installationFor(t, { PATH: gate.path });
  const client = installation.client();
  const source = await client.available((await client.create({ name: 'source', metadata: new Map([['a', 'b']]) })).id);
  await fill(installation.volumeFile(source.id));
  const expected = await digestOf(installation.volumeFile(source.id));
  const watching = await watchingFor(t, installation, 'demo');

  const clone = await client.create({ size: undefined, sourceVolumeId: source.id, name: 'clone' });
  t.like(clone, { size: 1, sourceVolumeId: source.id, volumeTypeId: source.volumeTypeId });
  t.deepEqual(clone.metadata, new Map(), 'metadata are the user’s words about one volume');
  const begun = await watching.sees('the copy begin', ({ progressPercent }) => progressPercent === 0);
  t.is(begun.volume?.id, clone.id);
  await t.throwsAsync(client.delete(source.id), { message: /source of a volume that is being made/ });
  await gate.open();
  await watching.sees('the clone available', isReady(clone.id));
  const seen = progressOf(watching.changes, clone.id);
  t.is(seen.at(-1), 100);
  t.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );

  const larger = await client.create({ size: 3, sourceVolumeId: source.id });
  await client.available(larger.id);
  const second = await client.create({ size: undefined, sourceVolumeId: clone.id });
  await client.delete(source.id); // nothing is cloned from it any more
  await client.available(second.id);
  await client.gone(source.id);

  for (const { id } of [clone, larger, second]) t.is(await digestOf(installation.volumeFile(id)), expected);
  t.true((await piece(installation.volumeFile(larger.id), GIB)).equals(Buffer.alloc(MIB)));
  t.deepEqual(await client.usage(), { volumes: [3, 0], gigabytes: [5, 0] });

  const again = await watchingFor(t, installation, 'demo', { resumeToken: begun.resumeToken });
  await again.sees('what came after the token', isReady(second.id));
  t.false(again.changes.some(({ progressPercent }) => progressPercent !== undefined && progressPercent < 100));
  await ends(t, installation, 3);
});

test('killed in the middle of a copy, the process takes the copy with it, and the next one makes the clone', async (t) => {
  await turn(t);
  const gate = await gatedCopy(t);
  const folder = await folderFor(t);
  const slow = new Installation(t, folder, { PATH: gate.path });
  await slow.start();
  const source = await availableWithContent(slow, slow.client());
  const expected = await digestOf(slow.volumeFile(source));
  const { id } = await slow.client().create({ size: 2, sourceVolumeId: source });
  const copying = await gate.begun();
  slow.process.child.kill('SIGKILL');
  t.is(await slow.process.ended(), 'SIGKILL');
  await processGone(copying);
  t.is(slow.books().halfMade, 1);

  const next = new Installation(t, folder);
  await next.start();
  const client = next.client();
  await client.available(id);

  t.is(await digestOf(next.volumeFile(id)), expected);
  t.deepEqual(await client.usage(), { volumes: [2, 0], gigabytes: [3, 0] });
  await ends(t, next, 2);
});

test('a clone that is deleted by force in the middle of its copy is gone at once, and so is its quota', async (t) => {
  await turn(t);
  const gate = await gatedCopy(t);
  const installation = await installationFor(t, { PATH: gate.path });
  const client = installation.client();
  const source = await availableWithContent(installation, client);
  const { id } = await client.create({ size: 5, sourceVolumeId: source });
  const copying = await gate.begun();

  await installation.client('demo', 'admin').delete(id, { force: true });
  await client.gone(id);

  await processGone(copying);
  await until(async () => ((await client.usage()).gigabytes[0] === 1 ? true : undefined), 'the quota to be given back');
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });
  await client.delete(source); // nothing holds it any more
  await client.gone(source);
  await ends(t, installation, 0);
});

test('clones and deletions of their sources, all at once: what was accepted is made, and nothing else is there', async (t) => {
  await turn(t);
  const installation = await installationFor(t, { CINDER_QUOTA_VOLUMES: '100' });
  const client = installation.client();
  const sources = await Promise.all(Array.from({ length: 8 }, () => availableWithContent(installation, client)));
  const contents = new Map<string, Buffer>();
  for (const id of sources) contents.set(id, await piece(installation.volumeFile(id), 0));

  const made = await Promise.all(
    sources.map(async (source, nth) => {
      const clone = () => client.create({ size: undefined, sourceVolumeId: source }).catch(refusal);
      const deletion = () => client.delete(source).catch(refusal);
      const [cloned, deleted] =
        nth % 2 === 0
          ? await Promise.all([clone(), deletion()])
          : (await Promise.all([deletion(), clone()])).toReversed();
      t.is([cloned, deleted].filter((outcome) => outcome === 'refused').length, 1, 'exactly one of the two');
      return { source, clone: cloned === 'refused' ? undefined : (cloned as { id: string }).id };
    }),
  );

  let expected = 0;
  for (const { source, clone } of made) {
    if (clone === undefined) {
      await client.gone(source);
      continue;
    }
    await client.available(clone);
    t.deepEqual(await piece(installation.volumeFile(clone), 0), contents.get(source));
    expected += 2;
  }
  await until(async () => ((await client.usage()).volumes[0] === expected ? true : undefined), 'the books to agree');
  await ends(t, installation, expected);
});

postgresTest('progress in a process of its own is seen by a watcher of the API', async (t) => {
  await turn(t);
  const gate = await gatedCopy(t);
  const cluster = await clusterFor(t);
  await cluster.start('scheduler');
  await cluster.start('volume', { PATH: gate.path });
  const api = await cluster.start('api');
  const client = cluster.client(api);
  const source = await client.create({ name: 'source' });
  await client.available(source.id);
  const watching = await watchingFor(t, api, 'demo');

  const { id } = await client.create({ size: undefined, sourceVolumeId: source.id });
  await watching.sees('the copy begin', ({ volume, progressPercent }) => volume?.id === id && progressPercent === 0);
  await gate.open();
  await watching.sees('the clone available', isReady(id));

  const seen = progressOf(watching.changes, id);
  t.deepEqual([seen[0], seen.at(-1)], [0, 100]);
});

const isReady = (id: string) => (change: WatchVolumesResponse) =>
  change.volume?.id === id && change.volume.status === AVAILABLE;

function progressOf(changes: readonly WatchVolumesResponse[], id: string): readonly number[] {
  return changes.flatMap(({ volume, progressPercent }) => (volume?.id === id ? (progressPercent ?? []) : []));
}

function refusal(error: Error): 'refused' {
  if (/INVALID_VOLUME|FAILED_PRECONDITION|NOT_FOUND/.test(error.message)) return 'refused';
  throw error;
}

async function availableWithContent(installation: Installation, client: Client): Promise<string> {
  const { id } = await client.create();
  await client.available(id);
  await fill(installation.volumeFile(id));
  return id;
}

/** Data at the start, in the middle and at the end, and holes between. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'r+');
  for (const at of [0, GIB / 2 + 12_345, GIB - MIB]) await file.write(randomBytes(MIB), 0, MIB, at);
  await file.close();
}

/** SHA-256 of the first GiB: of every chunk that is not all zeros, and where it is. */
async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(CHUNK);
  let at = 0;
  for await (const chunk of createReadStream(path, { end: GIB - 1, highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
    if (!chunk.equals(zeros.subarray(0, chunk.length))) hash.update(`${at}:`).update(chunk);
    at += chunk.length;
  }
  return hash.digest('hex');
}

const CHUNK = 4 * MIB;

/** A MiB from `at` on. */
async function piece(path: string, at: number): Promise<Buffer> {
  const file = await open(path, 'r');
  const { buffer } = await file.read(Buffer.alloc(MIB), 0, MIB, at);
  await file.close();
  return buffer;
}

/** Stops the installation: records and files agree, all are available, and nothing is under way or undecided. */
async function ends(t: ExecutionContext, installation: Installation, volumes: number): Promise<void> {
  t.is(await installation.stop(), 0);
  const books = installation.books();
  t.deepEqual(
    [...books.records.values()],
    Array.from({ length: volumes }, () => 'available'),
  );
  t.deepEqual([...books.files].sort(), [...books.records.keys()].sort());
  t.like(books, { workers: 0, settlements: 0, halfMade: 0 });
}
