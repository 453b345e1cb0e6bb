import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import type { IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import { processFor } from '../support/process.js';
import { context, Installation, schedulerClient, schedulerServer } from '../support/rpc.js';
import { typedPeer } from '../support/typed-peer.js';

/** A scheduler and its client as somebody built them when there was nothing newer. */
const PROGRAM = `
  import { ChannelCredentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
  import { Volume } from './gen/cinder/objects/v1/volume.js';
  import {
    type CreateVolumeRequest,
    SchedulerManagerClient,
    SchedulerManagerService,
    type SchedulerManagerServer,
  } from './gen/cinder/scheduler/v3/scheduler_manager.js';

  // @ts-expect-error came with 3.10
  export const newerField: keyof CreateVolumeRequest = 'backupId';
  // @ts-expect-error came with 3.12
  export const newerMethod: keyof typeof SchedulerManagerService = 'createBackup';
  // @ts-expect-error came with Volume 1.9
  export const newerObject: keyof Volume = 'useQuota';

  const [, , mode, address = ''] = process.argv;
  if (mode === 'serve') serve();
  else await call(new SchedulerManagerClient(address, ChannelCredentials.createInsecure()));

  function serve(): void {
    const createVolume: SchedulerManagerServer['createVolume'] = ({ request, metadata }, respond) => {
      const [version] = metadata.get('cinder-rpc-version');
      console.log('created', JSON.stringify({ version, size: request.volume?.size, keys: Object.keys(request) }));
      respond(null, {});
    };
    const server = new Server();
    server.addService(SchedulerManagerService, { createVolume });
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error) throw error;
      console.log('listening 127.0.0.1:' + port);
    });
  }

  async function call(client: SchedulerManagerClient): Promise<void> {
    const metadata = new Metadata();
    metadata.set('cinder-rpc-version', '3.9');
    metadata.set('x-project-id', 'p');
    const request = {
      volume: Volume.fromPartial({ id: 'volume-1', size: 3 }),
      snapshotId: undefined,
      imageId: undefined,
      requestSpec: undefined,
      filterProperties: undefined,
    } satisfies CreateVolumeRequest;
    await new Promise<void>((resolve) => {
      client.createVolume(request, metadata, (error) => (console.log(error ? status[error.code] : 'OK'), resolve()));
    });
    await new Promise<void>((resolve) => {
      client.getPools({ filters: new Map() }, metadata, (error, answer) => {
        console.log(error ? status[error.code] : JSON.stringify(answer.pools));
        resolve();
      });
    });
    client.close();
  }
`;

test('programs that were built from the protos of 3.9 work with the newest scheduler and its client', async (t) => {
  t.timeout(300_000);
  const program = await typedPeer(t, 'cinder-scheduler=3.9,cinder-volume=3.15', PROGRAM);

  const old = processFor(t, process.execPath, [program, 'serve']);
  const [, address = ''] = await old.wrote(/listening (\S+)/, 60_000);
  const installation = new Installation();
  installation.add({ address }, '3.9');
  installation.services = [{ host: 'old', rpcVersion: '3.9', objectVersion: '1.38', silentMs: 0 }];
  const client = schedulerClient(t, installation);
  const volume = Volume.create({ id: 'volume-2', size: 7, useQuota: true });
  await client.createVolume(context, { volume, backupId: 'backup' });
  const [, created = ''] = await old.wrote(/created (.*)/);
  t.like(JSON.parse(created), { version: '3.0', size: 7 });
  t.false(created.includes('backupId'));
  t.true(Fault.is(await t.throwsAsync(client.createBackup(context, { backup: undefined })), 'ServiceTooOld'));

  const casts: IncomingCast[] = [];
  const server = await schedulerServer(t, {
    casts: { deliver: async (some) => (casts.push(...some), some.map(() => CLAIMED)) },
    handlers: {
      getPools: async () => ({
        pools: [{ name: 'h@b#p', capabilities: { free: 1 }, oddities: [{ kind: 'stale', text: 'old' }] }],
      }),
    },
  });
  const caller = processFor(t, process.execPath, [program, 'call', server.address]);
  t.is(await caller.ended(), 0, caller.stderr());
  t.regex(caller.stdout(), /^OK\n\[\{"name":"h@b#p","capabilities":\{"free":1\}/);
  t.like(casts[0], { method: 'CreateVolume', version: '3.9', resourceId: 'volume-1' });
});
