import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import { Snapshot } from '#src/gen/cinder/objects/v1/snapshot.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { ExtendVolumeRequest, VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { processFor } from '../support/process.js';
import { clientOptions, context, Installation, schedulerClient, schedulerServer, serverOf } from '../support/rpc.js';
import { typedPeer } from '../support/typed-peer.js';

/** Both servers and their clients as somebody built them when there was nothing newer. */
const PROGRAM = `
  import { ChannelCredentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
  import { Volume } from './gen/cinder/objects/v1/volume.js';
  import {
    type CreateVolumeRequest,
    SchedulerManagerClient,
    SchedulerManagerService,
    type SchedulerManagerServer,
  } from './gen/cinder/scheduler/v3/scheduler_manager.js';
  import type { AcceptTransferRequest } from './gen/cinder/volume/v3/transfers.js';
  import {
    type ExtendVolumeRequest,
    VolumeManagerClient,
    type VolumeManagerServer,
    VolumeManagerService,
  } from './gen/cinder/volume/v3/volume_manager.js';

  // @ts-expect-error came with 3.10
  export const newerField: keyof CreateVolumeRequest = 'backupId';
  // @ts-expect-error came with 3.12
  export const newerMethod: keyof typeof SchedulerManagerService = 'createBackup';
  // @ts-expect-error came with Volume 1.9
  export const newerObject: keyof Volume = 'useQuota';

  // @ts-expect-error came with 3.16 of the volume service
  export const newerVolumeField: keyof AcceptTransferRequest = 'noSnapshots';
  // @ts-expect-error came with 3.18 of the volume service
  export const newerVolumeMethod: keyof typeof VolumeManagerService = 'reimage';

  const [, , mode, address = '', volumeAddress = ''] = process.argv;
  if (mode === 'serve') serve();
  else {
    await call(new SchedulerManagerClient(address, ChannelCredentials.createInsecure()));
    await callVolume(new VolumeManagerClient(volumeAddress, ChannelCredentials.createInsecure()));
  }

  function serve(): void {
    const createVolume: SchedulerManagerServer['createVolume'] = ({ request, metadata }, respond) => {
      const [version] = metadata.get('cinder-rpc-version');
      console.log('created', JSON.stringify({ version, size: request.volume?.size, keys: Object.keys(request) }));
      respond(null, {});
    };
    const acceptTransfer: VolumeManagerServer['acceptTransfer'] = ({ request, metadata }, respond) => {
      const [version] = metadata.get('cinder-rpc-version');
      console.log('accepted', JSON.stringify({ version, ...request }));
      respond(null, { modelUpdate: { provider_id: request.volumeId } });
    };
    const revertToSnapshot: VolumeManagerServer['revertToSnapshot'] = ({ request, metadata }, respond) => {
      const [version] = metadata.get('cinder-rpc-version');
      console.log('reverted', JSON.stringify({ version, snapshot: request.snapshot?.id, volume: request.volume?.id }));
      respond(null, {});
    };
    const server = new Server();
    server.addService(SchedulerManagerService, { createVolume });
    server.addService(VolumeManagerService, { acceptTransfer, revertToSnapshot });
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

  async function callVolume(client: VolumeManagerClient): Promise<void> {
    const metadata = new Metadata();
    metadata.set('cinder-rpc-version', '3.15');
    metadata.set('cinder-rpc-target', 'node1@file');
    metadata.set('x-project-id', 'p');
    const request = {
      volume: Volume.fromPartial({ id: 'volume-3', size: 3 }),
      newSize: 5,
      reservations: ['r'],
    } satisfies ExtendVolumeRequest;
    await new Promise<void>((resolve) => {
      client.extendVolume(request, metadata, (error) => (console.log(error ? status[error.code] : 'OK'), resolve()));
    });
    await new Promise<void>((resolve) => {
      client.getCapabilities({ discover: true }, metadata, (error, answer) => {
        console.log(error ? status[error.code] : JSON.stringify(answer));
        resolve();
      });
    });
    client.close();
  }
`;

test('programs that were built from the protos of a scheduler 3.9 and a volume service 3.15 work with the newest servers and clients', async (t) => {
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

  const volumes = new VolumeClient(clientOptions(installation));
  t.teardown(() => volumes.close());
  installation.services = [{ host: 'old', rpcVersion: '3.15', objectVersion: '1.38', silentMs: 0 }];
  const who = { newUser: 'u', newProject: 'p', noSnapshots: true };
  t.deepEqual(await volumes.acceptTransfer(context, volume, who, { target: 'host-1' }), { provider_id: 'volume-2' });
  const [, accepted = ''] = await old.wrote(/accepted (.*)/);
  t.deepEqual(JSON.parse(accepted), { version: '3.0', volumeId: 'volume-2', newUser: 'u', newProject: 'p' });
  await volumes.revertToSnapshot(context, { volume, snapshot: Snapshot.create({ id: 's' }) }, { target: 'host-1' });
  const [, reverted = ''] = await old.wrote(/reverted (.*)/);
  t.deepEqual(JSON.parse(reverted), { version: '3.15', snapshot: 's', volume: 'volume-2' });
  const reimage = { volume, imageMeta: undefined, imageSnap: undefined };
  t.true(Fault.is(await t.throwsAsync(volumes.reimage(context, reimage, { target: 'host-1' })), 'ServiceTooOld'));

  const casts: IncomingCast[] = [];
  const deliver = async (some: readonly IncomingCast[]): Promise<(typeof CLAIMED)[]> => (
    casts.push(...some),
    some.map(() => CLAIMED)
  );
  const volumeServer = await serverOf(t, VolumeManagerService, {
    owns: (target) => target === 'node1@file',
    casts: { deliver },
    handlers: { getCapabilities: async ({ discover }) => ({ capabilities: { discover, vendor_name: 'v' } }) },
  });
  const server = await schedulerServer(t, {
    casts: { deliver },
    handlers: {
      getPools: async () => ({
        pools: [{ name: 'h@b#p', capabilities: { free: 1 }, oddities: [{ kind: 'stale', text: 'old' }] }],
      }),
    },
  });
  const caller = processFor(t, process.execPath, [program, 'call', server.address, volumeServer.address]);
  t.is(await caller.ended(), 0, caller.stderr());
  t.regex(caller.stdout(), /\nOK\n\{"capabilities":\{"discover":true,"vendor_name":"v"\}\}\n$/);
  t.regex(caller.stdout(), /^OK\n\[\{"name":"h@b#p","capabilities":\{"free":1\}/);
  t.like(casts[0], { method: 'CreateVolume', version: '3.9', resourceId: 'volume-1' });
  t.like(casts[1], { method: 'ExtendVolume', version: '3.15', resourceId: 'volume-3', target: 'node1@file' });
  t.like(ExtendVolumeRequest.decode(casts[1]?.args ?? Buffer.alloc(0)), { newSize: 5, reservations: ['r'] });
});
