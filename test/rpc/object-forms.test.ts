import { randomUUID } from 'node:crypto';
import test from 'ava';
import { putProcess, stopProcess } from '#src/db/processes.js';
import { Backup } from '#src/gen/cinder/objects/v1/backup.js';
import { CreateVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { callersObjectsIn } from '#src/rpc/discovery.js';
import { volumeFromWire } from '#src/rpc/objects-on-the-wire.js';
import { context, Installation, RecordingDispatcher, schedulerClient, schedulerServer } from '../support/rpc.js';
import { sqliteStore } from '../support/sql.js';
import { volumeClient, volumeServer } from '../support/volume-rpc.js';
import { silent } from '../casts/rows.js';

/** What a receiver of some object version gets, and what was told of it as lost. */
const sentTo = async (t: Parameters<typeof schedulerServer>[0], objectVersion: string, volume: Partial<Volume>) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  installation.add(await schedulerServer(t, { casts: dispatcher }), '3.12', 'one', objectVersion);
  const lost: string[] = [];
  const client = schedulerClient(t, installation, { onDropped: (_method, fields) => lost.push(...fields) });
  await client.createVolume(context, CreateVolumeRequest.fromPartial({ volume: { id: 'v', size: 1, ...volume } }));
  const got = CreateVolumeRequest.decode(dispatcher.casts[0]?.args ?? Buffer.alloc(0)).volume ?? Volume.create();
  return { got, lost };
};

test('a volume that counts against no quota is marked as temporary for who knows the old form only', async (t) => {
  const adminMetadata = new Map([['readonly', 'True']]);
  const { got, lost } = await sentTo(t, '1.38', { useQuota: false, adminMetadata });
  t.is(got.useQuota, undefined);
  t.deepEqual(
    [...got.adminMetadata],
    [
      ['readonly', 'True'],
      ['temporary', 'True'],
    ],
  );
  t.deepEqual(lost, [], 'nothing is lost: it is said in other words');
  t.false(volumeFromWire(got).useQuota, 'and the same words are read');
  t.deepEqual([...adminMetadata.keys()], ['readonly'], 'what is sent is a copy');
});

test('a volume that counts needs no words below the version that brought them, and is read as one that counts', async (t) => {
  const { got, lost } = await sentTo(t, '1.38', { useQuota: true });
  t.deepEqual([got.useQuota, got.adminMetadata.size, lost.length], [undefined, 0, 0]);
  t.true(volumeFromWire(got).useQuota);
});

test('who knows the newest form gets it, and it wins over the old one', async (t) => {
  const { got } = await sentTo(t, '1.39', { useQuota: true, adminMetadata: new Map([['temporary', 'True']]) });
  t.true(got.useQuota);
  t.true(volumeFromWire(got).useQuota);
});

test('answers hold what the oldest process of any binary knows, in its words', async (t) => {
  const store = await sqliteStore(t);
  const run = async (binary: string, objectVersion: string): Promise<string> => {
    const incarnation = randomUUID();
    await store.apply([
      putProcess({ incarnation, binary, host: 'h', endpoint: '127.0.0.1:1', rpcVersion: '', objectVersion }),
    ]);
    return incarnation;
  };
  const volume = Volume.fromPartial({ id: 'v', useQuota: false, sharedTargets: true });
  const answered = async (): Promise<Volume | undefined> => {
    const installation = new Installation();
    const server = await volumeServer(t, {
      handlers: {
        getBackupDevice: async () => ({ backupDeviceInfo: { volume, snapshot: undefined, secureEnabled: true } }),
      },
      callersObjects: callersObjectsIn(store, { ttlMs: 60_000 }),
    });
    installation.add(server, '3.20', 'h@b');
    const info = await volumeClient(t, installation).getBackupDevice(context, Backup.create(), { target: 'h@b' });
    return info?.volume;
  };
  t.like(await answered(), { useQuota: false, sharedTargets: true }, 'nobody is older');

  await run('cinder-volume', '1.39');
  const old = await run('cinder-api', '1.38');
  const told = await answered();
  t.like(told, { useQuota: undefined, sharedTargets: true });
  t.is(told?.adminMetadata.get('temporary'), 'True');

  await store.apply([stopProcess(old)]);
  t.false((await answered())?.useQuota);
  const odd = await run('cinder-scheduler', 'new');
  t.is((await answered())?.useQuota, undefined, 'what is no version counts as the oldest');
  await silent(store, odd, 61_000);
  t.false((await answered())?.useQuota, 'a process that has been dead for long does not count');
});
