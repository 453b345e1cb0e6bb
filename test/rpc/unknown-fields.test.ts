import { BinaryWriter } from '@bufbuild/protobuf/wire';
import test from 'ava';
import { LogLevel } from '#src/gen/cinder/objects/v1/log_level.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import { Cast, CastOutcome as Outcome, CastResult, CastsService } from '#src/gen/cinder/rpc/v1/casts.js';
import {
  CreateVolumeRequest,
  type GetLogLevelsRequest,
  SchedulerManagerService as Scheduler,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import { StorageProblem, StorageProblemKind } from '#src/gen/cinder/volume/v3/volume_manager.js';
import { resultFromWire } from '#src/rpc/casts-on-the-wire.js';
import { problemFromWire } from '#src/volume/storage-on-the-wire.js';
import { row, wireCast } from '../support/casts.js';
import {
  bareClient,
  callBare,
  Installation,
  RecordingDispatcher,
  schedulerClient,
  schedulerServer,
} from '../support/rpc.js';

const V30 = { 'cinder-rpc-version': '3.0' };
/** No proto of ours has it, nor the largest number there may be. */
const NOBODYS = 777;
const LARGEST = 536_870_911;

const field = (wireType: number, number = NOBODYS): BinaryWriter => new BinaryWriter().uint32((number << 3) | wireType);
/** A field of a number that is nobody's, in each way to write one. */
const UNKNOWN: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['a number', field(0).uint64('18446744073709551615').finish()],
  ['eight bytes', field(1).fixed64('1').finish()],
  ['a text', field(2).string('of a later time').finish()],
  ['an empty text', field(2).string('').finish()],
  [
    'a group',
    new BinaryWriter().raw(field(3).finish()).raw(field(0, 1).int32(1).finish()).raw(field(4).finish()).finish(),
  ],
  ['four bytes', field(5).fixed32(1).finish()],
  ['many', new BinaryWriter().raw(field(0).int32(1).finish()).raw(field(2).string('x').finish()).finish()],
  [
    'the largest number of a field',
    new BinaryWriter()
      .uint32(((LARGEST << 3) | 0) >>> 0)
      .int32(1)
      .finish(),
  ],
];
/** What begins as one, and ends too early. */
const BROKEN: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['a text that is shorter than it says', field(2).uint32(1_000_000).finish()],
  ['a group without an end', field(3).finish()],
  ['a number without an end', Buffer.concat([field(0).finish(), Buffer.from([0x80])])],
];

/** A message within another, as it is written. */
function nested(number: number, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter()
    .uint32((number << 3) | 2)
    .bytes(bytes)
    .finish();
}

/** Bytes of our own making in the place of a request. */
const RAW_GET_LOG_LEVELS = { ...Scheduler.getLogLevels, requestSerialize: (bytes: unknown) => bytes as Buffer };
const RAW_CREATE_VOLUME = { ...Scheduler.createVolume, requestSerialize: (bytes: unknown) => bytes as Buffer };
const RAW_DELIVER = { ...CastsService.deliver, requestSerialize: (bytes: unknown) => bytes as Buffer };

for (const [what, unknown] of UNKNOWN) {
  test(`a field that no proto has is skipped under a version that is served, in the request and in what it holds: ${what}`, async (t) => {
    const heard: GetLogLevelsRequest[] = [];
    const handlers = {
      getLogLevels: async (request: GetLogLevelsRequest) => (heard.push(request), { logLevels: undefined }),
    };
    const client = bareClient(t, await schedulerServer(t, { handlers }));
    const known = LogLevel.encode(LogLevel.create({ prefix: 'cinder' })).finish();
    const request = Buffer.concat([unknown, nested(1, Buffer.concat([unknown, known, unknown])), unknown]);

    const { error } = await callBare(client, RAW_GET_LOG_LEVELS, request as never, { 'cinder-rpc-version': '3.7' });

    t.is(error, undefined);
    t.deepEqual(heard, [{ logRequest: LogLevel.create({ prefix: 'cinder' }) }]);
  });

  test(`a durable cast is taken with the bytes that no proto has, and read without them: ${what}`, async (t) => {
    const dispatcher = new RecordingDispatcher();
    const client = bareClient(t, await schedulerServer(t, { casts: dispatcher }));
    const args = argsWith(unknown);

    const single = await callBare(client, RAW_CREATE_VOLUME, args as never, V30);
    const { response } = await callBare(client, RAW_DELIVER, deliverWith(args, unknown) as never, V30);

    t.is(single.error, undefined);
    t.deepEqual(
      response?.results.map(({ outcome }) => outcome),
      [Outcome.CLAIMED],
    );
    t.is(dispatcher.casts.length, 2);
    for (const cast of dispatcher.casts) {
      t.like(cast, { resourceId: 'v', version: '3.0' });
      t.deepEqual(cast.args, args);
      t.deepEqual(CreateVolumeRequest.decode(cast.args), KNOWN);
    }
  });

  test(`a row whose bytes no proto has is sent as it is to who knows the rest, and to an older peer without them: ${what}`, async (t) => {
    const installation = new Installation();
    const dispatcher = new RecordingDispatcher();
    installation.add(await schedulerServer(t, { casts: dispatcher }), '3.12');
    const sent = row('v', argsWith(unknown));

    await schedulerClient(t, installation).deliver([sent]);
    installation.services = [{ host: 'old', rpcVersion: '3.9', objectVersion: '1.38', silentMs: 0 }];
    await schedulerClient(t, installation).deliver([sent]);

    t.deepEqual(
      dispatcher.casts.map(({ args }) => args),
      [sent.message.payload, KNOWN_BYTES],
    );
  });
}

test('a process that runs as an older version passes on no byte that no proto has', async (t) => {
  const dispatcher = new RecordingDispatcher();
  const server = await schedulerServer(t, { casts: dispatcher, rpcVersion: '3.9', objectVersion: '1.38' });
  const client = bareClient(t, server);
  for (const [, unknown] of UNKNOWN) await callBare(client, RAW_CREATE_VOLUME, argsWith(unknown) as never, V30);
  t.deepEqual(
    dispatcher.casts.map(({ args }) => args),
    UNKNOWN.map(() => KNOWN_BYTES),
  );
});

test('what a message is made into anew, as a scheduler does for a volume service, has no byte that no proto has', (t) => {
  for (const [what, unknown] of UNKNOWN) {
    const { volume } = CreateVolumeRequest.decode(argsWith(unknown));
    t.deepEqual(Volume.encode(volume ?? Volume.create()).finish(), Volume.encode(VOLUME).finish(), what);
  }
});

for (const [what, broken] of BROKEN) {
  test(`an unknown field that ends too early is the caller's error, and the server goes on: ${what}`, async (t) => {
    const handlers = { getLogLevels: async () => ({ logLevels: undefined }) };
    const client = bareClient(t, await schedulerServer(t, { handlers, casts: new RecordingDispatcher() }));
    const headers = { 'cinder-rpc-version': '3.7' };
    for (const [method, bytes] of [
      [RAW_GET_LOG_LEVELS, broken],
      [RAW_GET_LOG_LEVELS, nested(1, broken)],
      [RAW_CREATE_VOLUME, Buffer.concat([KNOWN_BYTES, broken])],
      [RAW_DELIVER, broken],
    ] as const) {
      const { error } = await callBare(client, method, Buffer.from(bytes) as never, headers);
      t.like(error && faultFromServiceError(error), { reason: 'INVALID_INPUT' }, method.path);
    }
    t.is((await callBare(client, Scheduler.getLogLevels, { logRequest: undefined }, headers)).error, undefined);
  });
}

test('a value of an enum that nobody has is not known, and another one when it is said anew: why none is ever added', (t) => {
  const kind = field(0, 1).int32(9).finish();
  const problem = StorageProblem.decode(kind);
  t.is(problem.kind, StorageProblemKind.UNRECOGNIZED);
  t.deepEqual(StorageProblem.encode(problem).finish(), field(0, 1).int32(-1).finish());
  t.is(problemFromWire(problem), undefined, 'it is not repaired');
  const outcome = new BinaryWriter().raw(field(0, 1).int32(9).finish()).raw(field(2, 2).string('R').finish()).finish();
  t.deepEqual(resultFromWire(CastResult.decode(outcome)), { outcome: 'refused', reason: 'R', message: '' });
});

const VOLUME = Volume.create({ id: 'v', size: 1, sharedTargets: true });
const KNOWN = CreateVolumeRequest.create({ volume: VOLUME, snapshotId: 's' });
const KNOWN_BYTES = Buffer.from(CreateVolumeRequest.encode(KNOWN).finish());

/** KNOWN with an unknown field in the request and in the volume. */
function argsWith(unknown: Uint8Array): Buffer {
  const volume = Buffer.concat([unknown, Volume.encode(VOLUME).finish(), unknown]);
  const rest = CreateVolumeRequest.encode({ ...KNOWN, volume: undefined }).finish();
  return Buffer.concat([unknown, nested(1, volume), rest, unknown]);
}

/** A request of one cast, with an unknown field on each level. */
function deliverWith(args: Buffer, unknown: Uint8Array): Buffer {
  const cast = wireCast('v', { args });
  const inner = Cast.encode(cast).finish();
  return Buffer.concat([unknown, nested(1, Buffer.concat([unknown, inner, unknown])), unknown]);
}
