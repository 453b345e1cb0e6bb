import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status as Code } from '@grpc/grpc-js';
import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import { CastsService, CastOutcome as Wire } from '#src/gen/cinder/rpc/v1/casts.js';
import {
  CreateVolumeRequest,
  SchedulerManagerService as Scheduler,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { BUSY, type CastOutcome, CLAIMED, type IncomingCast, SUPERSEDED } from '#src/rpc/casts.js';
import { bytes, request, row, wireCast } from '../support/casts.js';
import {
  bareClient,
  callBare,
  context,
  Installation,
  RecordingDispatcher,
  schedulerClient,
  schedulerServer,
} from '../support/rpc.js';

const V30 = { 'cinder-rpc-version': '3.0' };

test('a single RPC and Deliver enter the same dispatcher with the same cast', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
  const headers = {
    ...V30,
    'cinder-cast-epoch': '2',
    'x-openstack-request-id': 'req-1',
    'x-project-id': 'p',
    'x-user-id': 'u',
    'x-roles': 'member',
  };
  const single = await callBare(client, Scheduler.createVolume, request('v1'), headers);
  t.deepEqual(single.response, {});
  const castContext = { requestId: 'req-1', projectId: 'p', userId: 'u', roles: ['member'], traceparent: '' };
  const delivered = await callBare(
    client,
    CastsService.deliver,
    { casts: [wireCast('v1', { context: castContext })] },
    V30,
  );
  t.is(delivered.response?.results[0]?.outcome, Wire.CLAIMED);
  t.is(dispatcher.casts.length, 2);
  t.deepEqual(dispatcher.casts[0], dispatcher.casts[1]);
});

test('one cast that is refused does not keep its neighbours', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher, owns: (target) => target === 'mine' }));
  const casts = [
    wireCast('v1'),
    wireCast('v2', { version: '3.13' }),
    wireCast('v3', { method: 'Never' }),
    wireCast('v4', { method: 'GetPools' }),
    wireCast('v5', { resourceType: 'Snapshot' }),
    wireCast('v6', { target: 'h@other' }),
    wireCast('v7', { target: 'mine' }),
  ];
  const { response } = await callBare(client, CastsService.deliver, { casts }, V30);
  t.deepEqual(
    response?.results.map(({ outcome, reason }) => reason || outcome),
    [
      Wire.CLAIMED,
      'UNSUPPORTED_VERSION',
      'NO_SUCH_METHOD',
      'NO_SUCH_METHOD',
      'NO_SUCH_METHOD',
      'NOT_MY_BACKEND',
      Wire.CLAIMED,
    ],
  );
  t.deepEqual(
    dispatcher.casts.map(({ resourceId }) => resourceId),
    ['v1', 'v7'],
  );
});

test('arguments that nobody can read are the dispatcher’s business, not the door’s', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
  const args = Buffer.from([0xff, 0xff]);
  await callBare(client, CastsService.deliver, { casts: [wireCast('v1', { args })] }, V30);
  t.deepEqual(dispatcher.casts[0]?.args, args);
});

test('more than 64 casts are refused, none is taken', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
  const casts = Array.from({ length: 65 }, (_, index) => wireCast(`v${index}`));
  t.is((await callBare(client, CastsService.deliver, { casts }, V30)).error?.code, Code.INVALID_ARGUMENT);
  t.is(dispatcher.casts.length, 0);
  t.deepEqual((await callBare(client, CastsService.deliver, { casts: [] }, V30)).response?.results, []);
});

test('a server without a dispatcher says NOT_BUILT to both ways', async (t) => {
  const client = bareClient(t, await schedulerServer(t));
  t.is((await callBare(client, Scheduler.createVolume, request('v1'), V30)).error?.code, Code.UNIMPLEMENTED);
  const { response } = await callBare(client, CastsService.deliver, { casts: [wireCast('v1')] }, V30);
  t.like(response?.results[0], { outcome: Wire.REFUSED, reason: 'NOT_BUILT' });
});

test('a single RPC answers with what the dispatcher says', async (t) => {
  let outcome: CastOutcome = SUPERSEDED;
  const client = bareClient(t, await schedulerServer(t, { casts: { deliver: async () => [outcome] } }));
  const code = async (): Promise<Code | undefined> =>
    (await callBare(client, Scheduler.createVolume, request('v1'), V30)).error?.code;
  t.is(await code(), undefined, 'a duplicate is no error');
  outcome = BUSY;
  t.is(await code(), Code.UNAVAILABLE);
  outcome = { outcome: 'refused', reason: 'NOT_MY_BACKEND', message: '' };
  t.is(await code(), Code.FAILED_PRECONDITION);
  outcome = { outcome: 'refused', reason: 'NOT_BUILT', message: '' };
  t.is(await code(), Code.UNIMPLEMENTED);
});

test('a single RPC without its resource is the caller’s error', async (t) => {
  const client = bareClient(t, await schedulerServer(t, { casts: new RecordingDispatcher() }));
  const answer = await callBare(client, Scheduler.createVolume, CreateVolumeRequest.fromPartial({}), V30);
  t.is(answer.error?.code, Code.INVALID_ARGUMENT);
});

test('the client hands over many casts in one call, each with its context, and returns each outcome', async (t) => {
  const installation = new Installation();
  const casts: IncomingCast[] = [];
  const outcomes = [CLAIMED, SUPERSEDED, BUSY];
  const deliver = async (some: readonly IncomingCast[]): Promise<CastOutcome[]> => {
    casts.push(...some);
    return outcomes;
  };
  installation.add(await schedulerServer(t, { casts: { deliver } }), '3.12');
  const answers = await schedulerClient(t, installation).deliver(['a', 'b', 'c'].map((id) => row(id)));
  t.deepEqual(answers, outcomes);
  t.deepEqual(casts[1]?.context, context);
  t.like(casts[1], { resourceId: 'b', epoch: 2, version: '3.0', target: '' });
});

test('where the peer knows all, the bytes of the row go as they are; for an older one they are cut', async (t) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  installation.add(await schedulerServer(t, { casts: dispatcher }), '3.12');
  const full = row('v', bytes(request('v', { backupId: 'b' })), '3.10');
  await schedulerClient(t, installation).deliver([full]);
  t.deepEqual(dispatcher.casts[0]?.args, full.message.payload);
  t.is(dispatcher.casts[0]?.version, '3.10');
  installation.services = [{ host: 'old', rpcVersion: '3.9', objectVersion: '1.38', silentMs: 0 }];
  await schedulerClient(t, installation).deliver([full]);
  const older = CreateVolumeRequest.decode(dispatcher.casts[1]?.args ?? Buffer.alloc(0));
  t.is(dispatcher.casts[1]?.version, '3.0');
  t.is(older.backupId, undefined);
  t.is(older.volume?.useQuota, undefined);
});

test('a peer that turned older gets the casts once more, in the older form', async (t) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  installation.add(await schedulerServer(t, { casts: dispatcher, rpcVersion: '3.9' }), '3.12');
  const client = schedulerClient(t, installation);
  await client.cap();
  installation.services = [{ host: 'old', rpcVersion: '3.9', objectVersion: '1.39', silentMs: 0 }];
  const answers = await client.deliver([row('a', bytes(request('a', { backupId: 'b' })), '3.10'), row('c')]);
  t.deepEqual(answers, [CLAIMED, CLAIMED]);
  t.deepEqual(
    dispatcher.casts.map(({ resourceId, version }) => [resourceId, version]),
    [
      ['c', '3.0'],
      ['a', '3.0'],
    ],
  );
});

test('a peer that refuses the older form too keeps its refusal', async (t) => {
  const installation = new Installation();
  const refused = { outcome: 'refused', reason: 'NO_SUCH_METHOD', message: 'no' } as const;
  let calls = 0;
  const deliver = async (): Promise<CastOutcome[]> => ((calls += 1), [refused]);
  installation.add(await schedulerServer(t, { casts: { deliver } }), '3.12');
  t.deepEqual(await schedulerClient(t, installation).deliver([row('a')]), [refused]);
  t.is(calls, 2);
});

test('of casts that go together, one that cannot be put into words is refused alone', async (t) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  installation.add(await schedulerServer(t, { casts: dispatcher }), '3.12');
  const garbage = { ...row('d', bytes(request('d')), '3.0').message, payload: Buffer.from([0xff, 0xff]) };
  const answers = await schedulerClient(t, installation, { pin: '3.9' }).deliver([
    row('a'),
    row('b', bytes(request('b')), '3.999'),
    row('c', bytes(request('c')), 'nonsense'),
    { ...row('d'), message: garbage },
    { ...row('e'), epoch: 2 ** 60 },
    { ...row('f'), epoch: -5 },
  ]);
  t.deepEqual(
    answers.map(({ outcome, reason }) => [outcome, reason]),
    [
      ['claimed', ''],
      ['refused', 'SERVICE_TOO_OLD'],
      ['refused', 'INVALID_INPUT'],
      ['refused', 'INVALID_INPUT'],
      ['refused', 'INVALID_INPUT'],
      ['claimed', ''],
    ],
  );
  t.deepEqual(
    dispatcher.casts.map(({ resourceId, epoch }) => [resourceId, epoch]),
    [
      ['a', 2],
      ['f', -5],
    ],
  );
});

test('a backend that has moved is found where it is now', async (t) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  const before = await schedulerServer(t, { owns: () => false, casts: dispatcher });
  const now = await schedulerServer(t, { casts: dispatcher });
  const peer = { incarnation: 'one', host: 'h', endpoint: before.address, serves: ['h@b'] };
  installation.peers = [peer];
  const client = schedulerClient(t, installation);
  const cast = { ...row('v'), target: 'h@b' };
  t.like(await client.deliver([cast]), [{ outcome: 'refused', reason: 'NOT_MY_BACKEND' }]);
  installation.peers = [{ ...peer, incarnation: 'two', endpoint: now.address }];
  t.deepEqual(await client.deliver([cast]), [CLAIMED]);
  t.is(dispatcher.casts[0]?.target, 'h@b');
});

test('a backend that moved from an older process is told everything where it is now', async (t) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  const before = await schedulerServer(t, { owns: () => false, casts: dispatcher, rpcVersion: '3.9' });
  const now = await schedulerServer(t, { casts: dispatcher });
  installation.services = [{ host: 'h', rpcVersion: '3.12', objectVersion: '1.39', silentMs: 0 }];
  const peer = { incarnation: 'one', host: 'h', endpoint: before.address, serves: ['h@b'] };
  const known = [peer, { ...peer, incarnation: 'two', endpoint: now.address }];
  const client = schedulerClient(t, installation, { readPeers: async () => known.splice(0, 1) });
  // in words that the older process takes, were it its backend
  const cast = { ...row('v', bytes(request('v', { backupId: 'b' })), '3.0'), target: 'h@b' };
  t.deepEqual(await client.deliver([cast]), [CLAIMED]);
  t.is(CreateVolumeRequest.decode(dispatcher.casts[0]?.args ?? Buffer.alloc(0)).backupId, 'b');
});

test('when nobody answers the client says so, and claims nothing', async (t) => {
  const installation = new Installation();
  await t.throwsAsync(schedulerClient(t, installation).deliver([row('v')]), { name: 'ServiceUnavailable' });
  const gone = await schedulerServer(t);
  await gone.stop(0);
  installation.add(gone, '3.12');
  const error = await t.throwsAsync(schedulerClient(t, installation).deliver([row('v')]));
  t.true(Fault.is(error, 'ServiceUnavailable'));
});

test('a payload that cannot be read is refused alone', async (t) => {
  const installation = new Installation();
  installation.add(await schedulerServer(t, { casts: new RecordingDispatcher() }), '3.9');
  const broken = row('v');
  const message = { ...broken.message, payload: Buffer.from([0xff, 0xff]) };
  const answers = await schedulerClient(t, installation).deliver([{ ...broken, message }, row('w')]);
  t.like(answers[0], { outcome: 'refused', reason: 'INVALID_INPUT' });
  t.deepEqual(answers[1], CLAIMED);
});

test('a server that has only the single RPCs gets the casts one by one', async (t) => {
  const epochs: unknown[] = [];
  const old = new Server();
  const { createVolume } = Scheduler;
  old.addService(
    { createVolume },
    {
      createVolume: (call: ServerUnaryCall<CreateVolumeRequest, object>, respond: sendUnaryData<object>) => {
        epochs.push(call.metadata.get('cinder-cast-epoch')[0]);
        respond(null, {});
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    old.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  t.teardown(() => old.forceShutdown());
  const installation = new Installation();
  installation.add({ address: `127.0.0.1:${port}` }, '3.0');
  const client = schedulerClient(t, installation);
  t.deepEqual(await client.deliver([row('a'), row('b')]), [CLAIMED, CLAIMED]);
  t.deepEqual(await client.deliver([row('c')]), [CLAIMED]);
  t.deepEqual(epochs, ['2', '2', '2']);
});
