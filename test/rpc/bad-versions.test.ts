import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import { CastOutcome as Outcome, CastsService } from '#src/gen/cinder/rpc/v1/casts.js';
import {
  CreateVolumeRequest,
  type NotifyServiceCapabilitiesRequest,
  SchedulerManagerService as Scheduler,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import type { InternalCall } from '#src/rpc/versioned-server.js';
import type { ServiceVersions } from '#src/rpc/version-cap.js';
import { wireCast } from '../support/casts.js';
import {
  bareClient,
  callBare,
  context,
  Installation,
  RecordingDispatcher,
  schedulerClient,
  schedulerServer,
} from '../support/rpc.js';

/** What may stand in `cinder-rpc-version`, and what a server of 3.12 says to it; undefined: it is served. */
const HEADERS: readonly (readonly [given: string | readonly string[] | undefined, reason: string | undefined])[] = [
  [undefined, 'MISSING_RPC_VERSION'],
  ['', 'MISSING_RPC_VERSION'],
  ['3.0', undefined],
  ['3.12', undefined],
  // oslo.messaging's rule: a third component counts only where the minors are the same
  ['3.0.1', undefined],
  ['3.12.0', undefined],
  ['3.12.1', 'UNSUPPORTED_VERSION'],
  ['3.999', 'UNSUPPORTED_VERSION'],
  ['3.99999999999999999999', 'UNSUPPORTED_VERSION'],
  ['-1', 'UNSUPPORTED_VERSION'],
  ['3.-1', 'UNSUPPORTED_VERSION'],
  ['3', 'UNSUPPORTED_VERSION'],
  ['3.', 'UNSUPPORTED_VERSION'],
  ['3.0.0.0', 'UNSUPPORTED_VERSION'],
  ['3,0', 'UNSUPPORTED_VERSION'],
  ['v3.0', 'UNSUPPORTED_VERSION'],
  ['NaN.0', 'UNSUPPORTED_VERSION'],
  [['3.0', '3.0'], 'UNSUPPORTED_VERSION'],
  [['3.0', '3.999'], 'UNSUPPORTED_VERSION'],
];

for (const [given, reason] of HEADERS) {
  const told = reason ?? 'served';
  test(`cinder-rpc-version ${given === undefined ? 'absent' : JSON.stringify(given)} is ${told}`, async (t) => {
    const handlers = { getPools: async () => ({ pools: [] }) };
    const client = bareClient(t, await schedulerServer(t, { handlers }));
    const headers: Record<string, string | readonly string[]> =
      given === undefined ? {} : { 'cinder-rpc-version': given };

    const { error } = await callBare(client, Scheduler.getPools, { filters: new Map() }, headers);

    const fault = error && faultFromServiceError(error);
    t.is(fault instanceof Fault ? fault.reason : fault, reason);
    if (Fault.is(fault, 'UnsupportedVersion')) {
      t.like(fault.facts, { version: [given].flat().join(', '), served: '3.12' });
    }
    if (Fault.is(fault, 'MissingRpcVersion')) t.true(error?.details.includes("'cinder-rpc-version'"));
  });
}

/** Beside a good neighbour on either side, since a cast has one text only. */
const IN_CASTS = [
  ...HEADERS.flatMap(([given, reason]) =>
    typeof given === 'string' && given !== '' ? [[given, reason] as const] : [],
  ),
  // said, and no version; proto3 cannot tell it from not said
  ['', 'UNSUPPORTED_VERSION'],
  [' 3.0', 'UNSUPPORTED_VERSION'],
  ['2.9', 'UNSUPPORTED_VERSION'],
  ['4.0', 'UNSUPPORTED_VERSION'],
] as const;

for (const [version, reason] of IN_CASTS) {
  test(`a durable cast of version '${version}' is ${reason ?? 'taken'}, alone: its neighbours in the same call are taken`, async (t) => {
    const dispatcher = new RecordingDispatcher();
    const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
    const casts = [wireCast('before'), wireCast('odd', { version }), wireCast('after')];

    const { response } = await callBare(client, CastsService.deliver, { casts }, { 'cinder-rpc-version': '3.0' });

    t.deepEqual(
      response?.results.map((result) => result.reason || result.outcome),
      [Outcome.CLAIMED, reason ?? Outcome.CLAIMED, Outcome.CLAIMED],
    );
    const taken = dispatcher.casts.map(({ resourceId }) => resourceId);
    t.deepEqual(taken, reason ? ['before', 'after'] : ['before', 'odd', 'after']);
    if (!reason) return;
    const told = `CreateVolume was sent with RPC version ${version}; this service speaks 3.12.`;
    t.is(response?.results[1]?.message, told, 'the log of the sender says which, and what would do');
  });
}

test('casts of every bad version in one call are refused, each for itself, and the good one among them is taken', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
  const bad = IN_CASTS.flatMap(([version, reason]) => (reason ? [wireCast('odd', { version })] : []));
  const casts = [...bad, wireCast('good'), ...bad];
  const { response } = await callBare(client, CastsService.deliver, { casts }, { 'cinder-rpc-version': '3.0' });
  t.deepEqual(
    response?.results.map((result) => result.outcome),
    [...bad.map(() => Outcome.REFUSED), Outcome.CLAIMED, ...bad.map(() => Outcome.REFUSED)],
  );
  t.deepEqual(
    dispatcher.casts.map(({ resourceId }) => resourceId),
    ['good'],
  );
});

test('a message that holds a field newer than its own version is taken as it is: the receiver knows the field', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
  const request = CreateVolumeRequest.fromPartial({ volume: { id: 'v', size: 1 }, backupId: 'b' });
  await callBare(client, Scheduler.createVolume, request, { 'cinder-rpc-version': '3.0' });
  t.is(CreateVolumeRequest.decode(dispatcher.casts[0]?.args ?? Buffer.alloc(0)).backupId, 'b');
});

const NOTICE = { serviceName: 'volume', backend: 'h@b', capabilities: { free: 1 }, timestamp: new Date(1_000) };

for (const [what, rpcVersion, objectVersion] of [
  ['RPC version', 'three', '1.39'],
  ['RPC version', '', '1.39'],
  ['RPC version', '3.9.9.9', '1.39'],
  ['object version', '3.12', '-1'],
] as const) {
  test(`a service whose record holds '${what === 'RPC version' ? rpcVersion : objectVersion}' as its ${what} counts as the oldest`, async (t) => {
    const calls: [NotifyServiceCapabilitiesRequest, InternalCall][] = [];
    const handlers = {
      notifyServiceCapabilities: async (...call: [NotifyServiceCapabilitiesRequest, InternalCall]) => (
        calls.push(call),
        {}
      ),
      getPools: async () => ({ pools: [] }),
    };
    const told: string[] = [];
    const installation = new Installation();
    installation.add(await schedulerServer(t, { handlers }), '3.12');
    installation.services.push({ host: 'odd', rpcVersion, objectVersion, silentMs: 0 });
    const client = schedulerClient(t, installation, {
      onUnreadable: (binary, { host }: ServiceVersions) => told.push(`${binary} ${host}`),
    });

    t.deepEqual((await client.getPools(context, new Map())).pools, []);

    const oldest = what === 'RPC version' ? '3.0 (objects 1.39)' : '3.12 (objects 1.38)';
    t.is(String(await client.cap()), oldest);
    t.deepEqual(told, ['cinder-scheduler odd']);
    const notified = client.notifyServiceCapabilities(context, NOTICE);
    if (what === 'RPC version') await t.throwsAsync(notified, { name: 'ServiceTooOld' });
    else await notified;
    t.is(calls.length, what === 'RPC version' ? 0 : 1);

    // mended, and seen after the next look
    installation.services.pop();
    client.reset();
    t.is(String(await client.cap()), '3.12 (objects 1.39)');
  });
}

test('services of another major version: an older one stops what is sent, a newer one holds nobody down', async (t) => {
  const installation = new Installation();
  const handlers = { getPools: async () => ({ pools: [] }) };
  installation.add(await schedulerServer(t, { handlers }), '3.12');
  installation.services.push({ host: 'future', rpcVersion: '4.0', objectVersion: '2.0', silentMs: 0 });
  const client = schedulerClient(t, installation);
  t.deepEqual((await client.getPools(context, new Map())).pools, []);
  installation.services.push({ host: 'past', rpcVersion: '2.4', objectVersion: '1.39', silentMs: 0 });
  client.reset();
  await t.throwsAsync(client.getPools(context, new Map()), { name: 'ServiceTooOld', message: /2\.4/ });
});

test('a pin may change while the client runs, and counts at once', async (t) => {
  const installation = new Installation();
  installation.add(await schedulerServer(t), '3.12');
  const client = schedulerClient(t, installation, { pin: '3.9' });
  t.is(String(await client.cap()), '3.9 (objects 1.39)');
  client.pin('3.20');
  t.is(String(await client.cap()), '3.12 (objects 1.39)');
  client.pin('3.2');
  t.is(String(await client.cap()), '3.2 (objects 1.39)');
  client.pin(undefined);
  t.is(String(await client.cap()), '3.12 (objects 1.39)');
});
