import test, { type ExecutionContext } from 'ava';
import { CreateVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { type Level, OlderForms } from '#src/rpc/older-form.js';
import { versionOf } from '#src/rpc/version-number.js';
import { internalApiOf, readRules } from '#src/rpc/versions.js';
import { descriptorsOf, rules } from '../support/rpc.js';

const PROTO = `
  package forms;
  message Thing {
    option (cinder.rpc.v1.object) = { name: "Volume", version: "1.9" };
    string id = 1;
    optional bool use_quota = 2 [(cinder.rpc.v1.since) = "1.9"];
  }
  message Detail { string note = 1 [(cinder.rpc.v1.since) = "3.4"]; }
  message Request {
    Thing thing = 1;
    optional string backup_id = 2 [(cinder.rpc.v1.since) = "3.10"];
    string mode = 3 [(cinder.rpc.v1.since) = "3.6"];
    bool image_snap = 4 [(cinder.rpc.v1.since) = "3.8", (cinder.rpc.v1.below) = BELOW_REFUSE];
    repeated string zones = 5 [(cinder.rpc.v1.since) = "3.7"];
    map<string, Thing> things = 6;
    oneof source { string image = 7; string backup = 8 [(cinder.rpc.v1.since) = "3.5"]; Thing clone = 9; }
    repeated Detail details = 10;
  }
  message Response {}
  service Manager {
    option (cinder.rpc.v1.api) = { binary: "forms", version: "3.12", baseline: "3.0" };
    rpc Make(Request) returns (Response) { option (cinder.rpc.v1.method) = { kind: KIND_CALL }; }
    rpc Newer(Response) returns (Response) { option (cinder.rpc.v1.method) = { kind: KIND_CALL, since: "3.9" }; }
  }
`;

const EMPTY = { mode: '', imageSnap: false, zones: [], things: new Map<string, object>(), details: [] };

async function forms(t: ExecutionContext): Promise<OlderForms> {
  return new OlderForms(internalApiOf(readRules(await descriptorsOf(t, PROTO)), 'forms.Manager'));
}

function level(rpc: string, objects = '1.39'): Level {
  return { rpc: versionOf(rpc), objects: versionOf(objects) };
}

test('a peer that knows everything gets the message as it is, not a copy', async (t) => {
  const message = { ...EMPTY, backupId: 'b', zones: ['z'] };
  const prepared = (await forms(t)).prepare('Make', message, level('3.12'));
  t.is(prepared.message, message);
  t.is(prepared.version, '3.10');
});

test('fields newer than the peer are left out, of every kind, and named', async (t) => {
  const message = { ...EMPTY, backupId: 'b', mode: 'fast', zones: ['z'], source: { $case: 'backup', value: 'x' } };
  const prepared = (await forms(t)).prepare('Make', message, level('3.0'));
  t.deepEqual(prepared.message, { ...EMPTY, backupId: undefined, source: undefined } as unknown as typeof message);
  t.deepEqual(
    prepared.dropped,
    ['backup_id', 'mode', 'zones', 'backup'].map((name) => `forms.Request.${name}`),
  );
  t.is(prepared.version, '3.0');
  t.is(message.backupId, 'b', 'the argument is untouched');
});

test('another member of the same oneof stays', async (t) => {
  const source = { $case: 'image', value: 'i' };
  const prepared = (await forms(t)).prepare('Make', { ...EMPTY, source }, level('3.0'));
  t.deepEqual(prepared.message.source, source);
  t.deepEqual(prepared.dropped, []);
});

test('the version sent is the lowest that understands what is in the message', async (t) => {
  const all = await forms(t);
  const version = (message: object, cap = '3.12'): string =>
    all.prepare('Make', { ...EMPTY, ...message }, level(cap)).version;
  t.is(version({}), '3.0');
  t.is(version({ mode: 'fast' }), '3.6');
  t.is(version({ mode: 'fast', backupId: 'b' }), '3.10');
  t.is(version({ backupId: '' }), '3.10', 'an optional field is set even when it is empty');
  t.is(version({ zones: ['z'], backupId: 'b' }, '3.9'), '3.7');
  t.is(version({ details: [{ note: '' }, { note: 'n' }] }), '3.4', 'fields of messages in the message count');
  t.is(all.prepare('Newer', {}, level('3.12')).version, '3.9');
});

test('a field whose absence would change what happens is refused, and only when it is set', async (t) => {
  const all = await forms(t);
  t.throws(() => all.prepare('Make', { ...EMPTY, imageSnap: true }, level('3.7')), {
    name: 'ServiceTooOld',
    message: /Make with image_snap needs RPC 3\.8; the oldest forms speaks 3\.7/,
  });
  t.notThrows(() => all.prepare('Make', EMPTY, level('3.7')));
  t.true(all.prepare('Make', { ...EMPTY, imageSnap: true }, level('3.8')).message.imageSnap);
});

test('a method newer than the peer is refused before anything is sent; one of no version does not exist', async (t) => {
  const all = await forms(t);
  t.throws(() => all.prepare('Newer', {}, level('3.8')), { name: 'ServiceTooOld' });
  t.throws(() => all.prepare('Newer', {}, level('4.0')), { name: 'ServiceTooOld' });
  t.throws(() => all.prepare('Never', {}, level('3.12')), { name: 'NoSuchMethod' });
});

test('objects are cut to the versions of the receiver, wherever they are in the message', async (t) => {
  const thing = { id: '1', useQuota: true };
  const message = { ...EMPTY, thing, things: new Map([['a', thing]]), source: { $case: 'clone', value: thing } };
  const { message: older, version } = (await forms(t)).prepare('Make', message, level('3.12', '1.38'));
  const cut = { id: '1', useQuota: undefined };
  t.deepEqual(older.thing as object, cut);
  t.deepEqual(older.things.get('a') as object, cut);
  t.deepEqual(older.source.value as object, cut);
  t.is(version, '3.0', "an object's version is not the API's");
});

test('objects older than any release we can talk to are refused', async (t) => {
  const all = await forms(t);
  t.throws(() => all.prepare('Make', EMPTY, level('3.12', '1.37')), { name: 'ServiceTooOld' });
});

test("Cinder's create_volume: backup_id goes below 3.10, use_quota below object history 1.39", (t) => {
  const all = new OlderForms(internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager'));
  const request = CreateVolumeRequest.fromPartial({
    volume: { id: 'v', useQuota: true },
    backupId: 'b',
    snapshotId: 's',
  });
  const older = all.prepare('CreateVolume', request, level('3.9', '1.38'));
  t.is(older.message.backupId, undefined);
  t.is(older.message.volume?.useQuota, undefined);
  t.is(older.message.snapshotId, 's');
  t.is(older.version, '3.0');
  t.deepEqual(CreateVolumeRequest.decode(CreateVolumeRequest.encode(older.message).finish()).snapshotId, 's');
});
