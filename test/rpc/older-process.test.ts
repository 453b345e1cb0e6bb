import test, { type ExecutionContext } from 'ava';
import { asVersion } from '#src/casts/as-version.js';
import type { CastHandler } from '#src/casts/handler.js';
import { Fault } from '#src/errors/fault.js';
import { CastsService } from '#src/gen/cinder/rpc/v1/casts.js';
import {
  CreateVolumeRequest,
  MigrateVolumeRequest,
  MigrateVolumeToHostRequest,
  SchedulerManagerService as Scheduler,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import { placeOf } from '#src/rpc/message-rules.js';
import { versionOf } from '#src/rpc/version-number.js';
import { internalApiOf, type Rules } from '#src/rpc/versions.js';
import {
  bareClient,
  callBare,
  context,
  descriptors,
  Installation,
  RecordingDispatcher,
  rules,
  schedulerClient,
  schedulerServer,
} from '../support/rpc.js';

/** A release before the newest: its RPC, and its objects. */
const OLD = { rpcVersion: '3.9', objectVersion: '1.38' } as const;
const V30 = { 'cinder-rpc-version': '3.0' };
const SERVICE = 'cinder.scheduler.v3.SchedulerManager';
const api = internalApiOf(rules, SERVICE);
const FULL = CreateVolumeRequest.fromPartial({
  volume: { id: 'v', size: 1, useQuota: false, sharedTargets: true },
  backupId: 'b',
});
const FULL_BYTES = Buffer.from(CreateVolumeRequest.encode(FULL).finish());
/** What 3.9 with objects 1.38 has no word for is not there; the rest is. */
const SEEN = {
  backupId: undefined,
  volume: { id: 'v', size: 1, useQuota: undefined, sharedTargets: true, adminMetadata: new Map<string, string>() },
};
/** As a sender says it: what had another form before is said in that one. */
const SAID = { ...SEEN, volume: { ...SEEN.volume, adminMetadata: new Map([['temporary', 'True']]) } };

function castOf(more: object = {}) {
  const cast = {
    resourceType: 'Volume',
    resourceId: 'v',
    epoch: 1,
    method: 'CreateVolume',
    version: '3.0',
    target: '',
  };
  return { ...cast, args: FULL_BYTES, context: undefined, ...more };
}

test('an older process does not see newer fields of requests and objects, by single RPC and Deliver alike', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { ...OLD, casts: dispatcher }));

  await callBare(client, Scheduler.createVolume, FULL, V30);
  await callBare(client, CastsService.deliver, { casts: [castOf()] }, V30);

  t.is(dispatcher.casts.length, 2);
  for (const { args } of dispatcher.casts) t.like(CreateVolumeRequest.decode(args), SEEN);
});

test('objects alone may be older', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { objectVersion: '1.38', casts: dispatcher }));

  await callBare(client, CastsService.deliver, { casts: [castOf({ version: '3.10' })] }, V30);

  t.like(CreateVolumeRequest.decode(dispatcher.casts[0]?.args ?? Buffer.alloc(0)), { ...SEEN, backupId: 'b' });
});

test('the newest process gets the bytes as they came', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
  await callBare(client, CastsService.deliver, { casts: [castOf({ version: '3.10' })] }, V30);
  t.deepEqual(dispatcher.casts[0]?.args, FULL_BYTES);
});

test('an older process refuses newer casts one by one, each as what it is', async (t) => {
  const client = bareClient(t, await schedulerServer(t, { rpcVersion: '3.2', casts: new RecordingDispatcher() }));
  const casts = [
    castOf({ version: '3.10' }),
    castOf({ version: '4.0' }),
    castOf({ method: 'MigrateVolume' }),
    castOf({ method: 'GetPools' }),
    castOf(),
  ];
  const { response } = await callBare(client, CastsService.deliver, { casts }, V30);
  t.deepEqual(
    response?.results.map(({ reason }) => reason),
    ['UNSUPPORTED_VERSION', 'UNSUPPORTED_VERSION', 'NO_SUCH_METHOD', 'NO_SUCH_METHOD', ''],
  );
});

for (const name of ['_createVolume', 'constructor', '__proto__', 'toString', 'createVolume', 'reset', 'addTo']) {
  test(`what is no declared method cannot be called: ${name}`, async (t) => {
    const dispatcher = new RecordingDispatcher();
    const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
    const { error } = await callBare(
      client,
      { ...Scheduler.getPools, path: `/${SERVICE}/${name}` },
      { filters: new Map() },
      V30,
    );
    t.is(reasonOf(t, error), 'NO_SUCH_METHOD');
    const { response } = await callBare(client, CastsService.deliver, { casts: [castOf({ method: name })] }, V30);
    t.is(response?.results[0]?.reason, 'NO_SUCH_METHOD');
    t.deepEqual(dispatcher.casts, []);
  });
}

test('an older process does not answer with newer fields', async (t) => {
  const handlers = { getPools: async () => ({ pools: [{ name: 'p', capabilities: { free: 1 }, oddities: [] }] }) };
  const answers = [];
  for (const rpcVersion of ['3.12', '3.11']) {
    const server = await schedulerServer(t, { rpcVersion, handlers, rules: withNewerAnswer() });
    answers.push((await callBare(bareClient(t, server), Scheduler.getPools, { filters: new Map() }, V30)).response);
  }
  t.like(answers[0]?.pools[0], { name: 'p', capabilities: { free: 1 } });
  t.like(answers[1]?.pools[0], { name: 'p', capabilities: undefined });
});

test('an older client sends the newest server what it would have sent', async (t) => {
  const installation = new Installation();
  const dispatcher = new RecordingDispatcher();
  installation.add(await schedulerServer(t, { casts: dispatcher }), '3.12');
  const client = schedulerClient(t, installation, OLD);

  await client.createVolume(context, FULL);

  t.like(CreateVolumeRequest.decode(dispatcher.casts[0]?.args ?? Buffer.alloc(0)), SAID);
  t.is(dispatcher.casts[0]?.version, '3.0');
});

test('an older process keeps in a row what it would have kept: its words, its fields, its version', (t) => {
  const old = schedulerClient(t, new Installation(), { ...OLD, rpcVersion: '3.2' });
  const message = {
    binary: 'cinder-scheduler',
    method: 'CreateVolume',
    payload: FULL_BYTES,
    payloadVersion: '3.10',
  } as const;
  const migration = MigrateVolumeRequest.fromPartial({ volume: { id: 'v' }, backend: 'h@b', forceCopy: true });
  const payload = Buffer.from(MigrateVolumeRequest.encode(migration).finish());

  const created = old.inOwnWords(message);
  const migrated = old.inOwnWords({ ...message, method: 'MigrateVolume', payload, payloadVersion: '3.3' });

  t.like(created, { method: 'CreateVolume', payloadVersion: '3.0' });
  t.like(CreateVolumeRequest.decode(created.payload), SAID);
  t.like(migrated, { method: 'MigrateVolumeToHost', payloadVersion: '3.0' });
  t.like(MigrateVolumeToHostRequest.decode(migrated.payload), { host: 'h@b', forceHostCopy: true });
  t.deepEqual(schedulerClient(t, new Installation()).inOwnWords(message), message);
});

test('work that an older process takes over is what it would have seen of it, if it knows the method at all', (t) => {
  const handler: CastHandler = { decode: (args) => args as never, run: async () => undefined, fail: () => [] };
  const all = new Map(['CreateVolume', 'MigrateVolume', 'MigrateVolumeToHost'].map((name) => [name, handler]));
  const own = { rpc: versionOf('3.2'), objects: versionOf('1.38') };

  const handlers = asVersion(all, Scheduler, api, own);

  t.deepEqual([...handlers.keys()], ['CreateVolume', 'MigrateVolumeToHost']);
  const decode = handlers.get('CreateVolume')?.decode as (args: Uint8Array) => unknown;
  t.like(CreateVolumeRequest.decode(decode(FULL_BYTES) as Uint8Array), SEEN);
});

test('an object version that was never one is refused at the start', async (t) => {
  const error = await t.throwsAsync(schedulerServer(t, { objectVersion: '1.37' }));
  t.is(error.message, 'no object version 1.37 is known: only 1.38, 1.39');
});

/** As if the capabilities of pools were new in 3.12. */
function withNewerAnswer(): Rules {
  const getPools = api.methods.get('GetPools');
  const inner = descriptors.registry.getMessage(`${SERVICE.replace('SchedulerManager', '')}GetPoolsResponse`)
    ?.fields[0];
  const field = inner?.message?.fields.find(({ name }) => name === 'capabilities');
  if (!getPools || !inner?.message || !field) throw new Error('GetPools does not answer with pools any more');
  const rule = {
    ...{ name: 'capabilities', fullName: 'Pool.capabilities', refuseBelow: false, adminOnly: false, secret: false },
    place: placeOf(field),
  };
  const pool = { typeName: inner.message.typeName, object: undefined, inside: [] };
  const response = {
    ...getPools.response,
    inside: [{ place: placeOf(inner), rules: { ...pool, fields: [{ ...rule, since: versionOf('3.12') }] } }],
  };
  const methods = new Map([...api.methods, ['GetPools', { ...getPools, response }] as const]);
  return { ...rules, internal: new Map([...rules.internal, [SERVICE, { ...api, methods }]]) };
}

function reasonOf(t: ExecutionContext, error: Parameters<typeof faultFromServiceError>[0] | undefined): string {
  const fault = error && faultFromServiceError(error);
  if (!(fault instanceof Fault)) throw new Error(`no fault of ours: ${String(fault)}`);
  t.log(fault.message);
  return fault.reason;
}
