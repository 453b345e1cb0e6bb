import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status as Code } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '#src/errors/fault.js';
import type {
  CreateVolumeRequest,
  NotifyServiceCapabilitiesRequest,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import type { InternalCall } from '#src/rpc/versioned-server.js';
import {
  context,
  Installation,
  loadedService,
  milestone,
  RecordingDispatcher,
  schedulerClient,
  schedulerServer,
  until,
} from '../support/rpc.js';

const NOTICE = { serviceName: 'volume', backend: 'h@b', capabilities: { free: 1 }, timestamp: new Date(1_000) };

/** A server that notes the notices it gets, with the versions they were sent as. */
async function noting(
  t: ExecutionContext,
  rpcVersion: string,
): Promise<{ server: { address: string }; notes: [NotifyServiceCapabilitiesRequest, InternalCall][] }> {
  const notes: [NotifyServiceCapabilitiesRequest, InternalCall][] = [];
  const server = await schedulerServer(t, {
    rpcVersion,
    handlers: {
      notifyServiceCapabilities: async (request, call) => {
        notes.push([request, call]);
        return {};
      },
    },
  });
  return { server, notes };
}

test('between services of one version everything is sent, as the lowest version that has it all', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.12');
  installation.add(server, '3.12');
  await schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE);
  t.like(notes[0]?.[0], { backend: 'h@b', host: undefined, timestamp: NOTICE.timestamp });
  t.like(notes[0]?.[1], { version: '3.5', context });
});

test('an older service anywhere makes the client fall back to the older form', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.12');
  installation.add(server, '3.12');
  installation.services.push({ host: 'old', rpcVersion: '3.4', objectVersion: '1.39', silentMs: 0 });
  await schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE);
  t.like(notes[0]?.[0], { backend: undefined, host: 'h@b', timestamp: undefined });
  t.is(notes[0]?.[1].version, '3.1');
});

test('a method that the oldest service lacks is refused before anything is sent', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.12');
  installation.add(server, '3.0');
  const error = await t.throwsAsync(schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE));
  t.true(Fault.is(error, 'ServiceTooOld'));
  t.like((error as unknown as Fault).facts, {
    binary: 'cinder-scheduler',
    method: 'NotifyServiceCapabilities',
    needs: '3.1',
    cap: '3.0',
  });
  t.is(notes.length, 0);
});

test('when the older service is gone the newer form is used again, without a restart', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.12');
  installation.add(server, '3.12');
  installation.services.push({ host: 'old', rpcVersion: '3.4', objectVersion: '1.39', silentMs: 0 });
  const client = schedulerClient(t, installation, { capMaxAgeMs: 50 });
  await client.notifyServiceCapabilities(context, NOTICE);
  installation.services.pop();
  await until('the newer form is used', async () => {
    await client.notifyServiceCapabilities(context, NOTICE);
    return notes.at(-1)?.[1].version === '3.5';
  });
  t.is(notes[0]?.[1].version, '3.1');
});

test('a service that turned older is believed at once, and gets the older form', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.4');
  installation.add(server, '3.12');
  const client = schedulerClient(t, installation);
  await client.cap();
  installation.services = [{ host: 'old', rpcVersion: '3.4', objectVersion: '1.39', silentMs: 0 }];
  await client.notifyServiceCapabilities(context, NOTICE);
  t.is(notes.length, 1);
  t.is(notes[0]?.[1].version, '3.1');
  t.is(installation.reads, 2);
});

test('a service that says it is older than its record gets the form for what it says', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.2');
  installation.add(server, '3.12');
  await schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE);
  t.is(notes[0]?.[1].version, '3.1');
});

test('a service that refuses the older form too is not asked a third time', async (t) => {
  const installation = new Installation();
  let calls = 0;
  const count = { started: () => void (calls += 1), handled: () => undefined };
  const server = await schedulerServer(t, { rpcVersion: '3.0', observer: count });
  installation.add(server, '3.12');
  const error = await t.throwsAsync(schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE));
  t.is(error.name, 'ServiceTooOld');
  t.is(calls, 1);
});

test('NOT_BUILT is no reason to try an older form', async (t) => {
  const installation = new Installation();
  let calls = 0;
  const count = { started: () => void (calls += 1), handled: () => undefined };
  installation.add(await schedulerServer(t, { observer: count }), '3.12');
  const error = await t.throwsAsync(schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE));
  t.is(error.name, 'NotBuilt');
  t.is(calls, 1);
  t.is(installation.reads, 1);
});

test('the configured pin lowers what is sent', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.12');
  installation.add(server, '3.12');
  await schedulerClient(t, installation, { pin: '3.4' }).notifyServiceCapabilities(context, NOTICE);
  t.is(notes[0]?.[1].version, '3.1');
});

test('a client run as an older version sends as that version did', async (t) => {
  const installation = new Installation();
  const { server, notes } = await noting(t, '3.12');
  installation.add(server, '3.12');
  await schedulerClient(t, installation, { rpcVersion: '3.3' }).notifyServiceCapabilities(context, NOTICE);
  t.is(notes[0]?.[1].version, '3.1');
});

test('what had to be left out is told', async (t) => {
  const installation = new Installation();
  installation.add(await schedulerServer(t, { casts: new RecordingDispatcher() }), '3.9');
  const told: unknown[] = [];
  const client = schedulerClient(t, installation, { onDropped: (...dropped) => told.push(dropped.slice(0, 2)) });
  await client.createVolume(context, { volume: { ...VOLUME }, backupId: 'b' });
  t.deepEqual(told, [['CreateVolume', ['cinder.scheduler.v3.CreateVolumeRequest.backup_id']]]);
});

const VOLUME = {
  id: 'a3b1',
  projectId: 'p',
  userId: 'u',
  size: 1,
  status: 'creating',
  bootable: false,
  multiattach: false,
  attachStatus: 'detached',
  metadata: new Map<string, string>(),
  adminMetadata: new Map<string, string>(),
  glanceMetadata: new Map<string, string>(),
  volumeAttachment: [],
};

test('a fan-out reaches every living process, and says whom it did not reach', async (t) => {
  const installation = new Installation();
  const got: string[] = [];
  for (const name of ['a', 'b']) {
    const handlers = { updateServiceCapabilities: async () => (got.push(name), {}) };
    installation.add(await schedulerServer(t, { handlers }), '3.12');
  }
  const gone = await schedulerServer(t);
  await gone.stop(0);
  installation.add(gone, '3.12', 'gone');
  const report = { serviceName: 'volume', host: 'h@b', includedClaims: [], reportId: '', part: 0, partCount: 0 };
  const { reached, failed } = await schedulerClient(t, installation).updateServiceCapabilities(context, report);
  t.deepEqual(got.sort(), ['a', 'b']);
  t.is(reached, 2);
  t.deepEqual(
    failed.map(({ peer, error }) => [peer.host, (error as Fault).name]),
    [['gone', 'ServiceUnavailable']],
  );
});

test('calls take turns among the processes, and leave out one that cannot be reached', async (t) => {
  const installation = new Installation();
  const got: string[] = [];
  for (const name of ['a', 'b']) {
    const handlers = { getPools: async () => (got.push(name), { pools: [] }) };
    installation.add(await schedulerServer(t, { handlers }), '3.12');
  }
  const client = schedulerClient(t, installation);
  for (let call = 0; call < 4; call += 1) await client.getPools(context, new Map());
  t.deepEqual(got.sort(), ['a', 'a', 'b', 'b']);
});

test('a cast goes to another process when the first one is gone; a call does not, as it may have run', async (t) => {
  const installation = new Installation();
  const gone = await schedulerServer(t);
  await gone.stop(0);
  const { server, notes } = await noting(t, '3.12');
  for (const [name, one] of Object.entries({ gone, server })) installation.add(one, '3.12', name);
  await schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE);
  await schedulerClient(t, installation).notifyServiceCapabilities(context, NOTICE);
  t.is(notes.length, 2);
  installation.peers = installation.peers.filter(({ host }) => host === 'gone');
  await t.throwsAsync(schedulerClient(t, installation).getPools(context, new Map()), { name: 'ServiceUnavailable' });
});

test('without a living process the service is unavailable, and it says so at once', async (t) => {
  const error = await t.throwsAsync(schedulerClient(t, new Installation()).getPools(context, new Map()));
  t.true(Fault.is(error, 'ServiceUnavailable'));
  t.regex(error.message, /no living process/);
});

test("a CALL has the nearer of the caller's deadline and its own, and the server sees it", async (t) => {
  const deadlines: number[] = [];
  const installation = new Installation();
  const handlers = {
    getPools: async (_: unknown, call: InternalCall) => (deadlines.push(call.deadline), { pools: [] }),
  };
  installation.add(await schedulerServer(t, { handlers }), '3.12');
  const client = schedulerClient(t, installation, { timeoutMs: 4_000 });
  const begun = Date.now();
  await client.getPools(context, new Map(), { deadline: begun + 2_000 });
  await client.getPools(context, new Map(), { deadline: begun + 60_000 });
  const [near = 0, own = 0] = deadlines;
  t.true(near - begun > 1_700 && near - begun < 3_700, `${near - begun}`);
  t.true(own - begun > 3_700 && own - begun < 30_000, `${own - begun}`);
});

test('a deadline that passes is DeadlineExceeded, an aborted signal Cancelled, and both reach the handler', async (t) => {
  const aborted: unknown[] = [];
  const { reached, reach } = milestone();
  const installation = new Installation();
  const server = await schedulerServer(t, {
    handlers: {
      getPools: ({ filters }, { signal }) =>
        filters.size === 0
          ? Promise.resolve({ pools: [] })
          : new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                aborted.push((signal.reason as Fault).name);
                reject(signal.reason as Fault);
              });
              reach();
            }),
    },
  });
  installation.add(server, '3.12');
  const client = schedulerClient(t, installation);
  const wait = new Map([['wait', 'yes']]);
  await client.getPools(context, new Map());
  await t.throwsAsync(client.getPools(context, wait, { deadline: Date.now() + 200 }), { name: 'DeadlineExceeded' });
  const controller = new AbortController();
  const call = client.getPools(context, wait, { signal: controller.signal });
  await reached;
  await until('the first one is aborted', () => aborted.length === 1);
  controller.abort();
  await t.throwsAsync(call, { name: 'Cancelled' });
  await until('the handlers are told', () => aborted.length === 2);
  t.is(aborted[1], 'Cancelled'); // the first: whichever of the two clocks was the faster
});

test("the peer's fault is thrown as it was there", async (t) => {
  const installation = new Installation();
  const thrown = new Fault('NoValidBackend', { reason: 'all full' });
  installation.add(await schedulerServer(t, { handlers: { getPools: () => Promise.reject(thrown) } }), '3.12');
  const error = await t.throwsAsync(schedulerClient(t, installation).getPools(context, new Map()));
  t.true(Fault.is(error, 'NoValidBackend'));
  t.deepEqual((error as unknown as Fault).facts, thrown.facts);
});

const OLD_PROTO = `
  package cinder.scheduler.v3;
  message OldVolume { string id = 1; int32 size = 4; }
  message CreateVolumeRequest { OldVolume volume = 1; optional string snapshot_id = 2; }
  message CreateVolumeResponse {}
  service SchedulerManager { rpc CreateVolume(CreateVolumeRequest) returns (CreateVolumeResponse); }
`;

test('a genuinely old client, whose proto lacks the newer fields, is served', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const server = await schedulerServer(t, { casts: dispatcher });
  const Old = await loadedService(t, OLD_PROTO, 'cinder.scheduler.v3.SchedulerManager');
  const { credentials, Metadata } = await import('@grpc/grpc-js');
  const client = new Old(server.address, credentials.createInsecure());
  t.teardown(() => client.close());
  const metadata = new Metadata();
  metadata.set('cinder-rpc-version', '3.0');
  await new Promise<void>((resolve, reject) => {
    const call = client['CreateVolume'] as (
      request: object,
      metadata: object,
      answer: (error: Error | null) => void,
    ) => void;
    call.call(client, { volume: { id: 'old-1', size: 2 } }, metadata, (error) => (error ? reject(error) : resolve()));
  });
  t.like(dispatcher.casts[0], {
    resourceType: 'Volume',
    resourceId: 'old-1',
    version: '3.0',
    epoch: undefined,
    target: '',
  });
});

test('a genuinely old server, which answers bare UNIMPLEMENTED and reads no details, gets the older form', async (t) => {
  const requests: Partial<CreateVolumeRequest>[] = [];
  const Old = await loadedService(t, OLD_PROTO, 'cinder.scheduler.v3.SchedulerManager');
  const old = new Server();
  old.addService(Old.service, {
    CreateVolume: (call: ServerUnaryCall<Partial<CreateVolumeRequest>, object>, respond: sendUnaryData<object>) => {
      if (call.metadata.get('cinder-rpc-version')[0] !== '3.0')
        respond({ code: Code.UNIMPLEMENTED, details: 'too new' });
      else respond(null, (requests.push(call.request), {}));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    old.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  t.teardown(() => old.forceShutdown());
  const installation = new Installation();
  installation.add({ address: `127.0.0.1:${port}` }, '3.12');
  const client = schedulerClient(t, installation);
  await client.cap();
  installation.services = [{ host: 'old', rpcVersion: '3.0', objectVersion: '1.38', silentMs: 0 }];
  await client.createVolume(context, { volume: { ...VOLUME, useQuota: true }, backupId: 'b', snapshotId: 's' });
  t.deepEqual(requests, [{ volume: { id: 'a3b1', size: 1 }, snapshot_id: 's' }] as never);
});

test('a single durable cast carries its epoch', async (t) => {
  const installation = new Installation();
  const casts: IncomingCast[] = [];
  const dispatcher = {
    deliver: async (some: readonly IncomingCast[]) => (casts.push(...some), some.map(() => CLAIMED)),
  };
  installation.add(await schedulerServer(t, { casts: dispatcher }), '3.12');
  await schedulerClient(t, installation).createVolume(context, { volume: VOLUME }, { epoch: 4 });
  t.like(casts[0], { epoch: 4, resourceId: 'a3b1', method: 'CreateVolume' });
});
