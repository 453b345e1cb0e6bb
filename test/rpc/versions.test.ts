import test from 'ava';
import {
  CreateVolumeRequest,
  NotifyServiceCapabilitiesRequest,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { Volume as WireVolume } from '#src/gen/cinder/objects/v1/volume.js';
import { GetVolumeResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { formatVersion } from '#src/rpc/version-number.js';
import { internalApiOf, ownVersion, publicApiOf, readRules } from '#src/rpc/versions.js';
import { descriptors, descriptorsOf, rules } from '../support/rpc.js';

test('the rules of an internal method are what its proto says', (t) => {
  const api = internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager');
  t.is(api.binary, 'cinder-scheduler');
  t.is(formatVersion(api.version), '3.12');
  const create = api.methods.get('CreateVolume');
  t.like(create, { kind: 'cast', durable: true, path: '/cinder.scheduler.v3.SchedulerManager/CreateVolume' });
  t.deepEqual(create?.resource, { type: 'Volume', place: { property: 'volume', empty: undefined } });
  t.deepEqual(
    create?.request.fields.map(({ name, since }) => [name, since && formatVersion(since)]),
    [['backup_id', '3.10']],
  );
  const notify = api.methods.get('NotifyServiceCapabilities');
  t.is(notify && formatVersion(notify.since), '3.1');
  t.is(api.methods.get('UpdateServiceCapabilities')?.kind, 'fanout');
});

test('a durable cast changes the snapshot it carries, else the volume, unless its proto names the field', (t) => {
  const { methods } = internalApiOf(rules, 'cinder.volume.v3.VolumeManager');
  const changed = [...methods.values()]
    .filter(({ durable }) => durable)
    .map(({ name, resource }) => [name, resource?.type, resource?.place.property]);
  t.deepEqual(changed, [
    ['CreateVolume', 'Volume', 'volume'],
    ['DeleteVolume', 'Volume', 'volume'],
    ['ExtendVolume', 'Volume', 'volume'],
    ['MigrateVolume', 'Volume', 'volume'],
    ['Retype', 'Volume', 'volume'],
    ['ManageExisting', 'Volume', 'volume'],
    ['RevertToSnapshot', 'Volume', 'volume'],
    ['CreateSnapshot', 'Snapshot', 'snapshot'],
    ['DeleteSnapshot', 'Snapshot', 'snapshot'],
    ['ManageExistingSnapshot', 'Snapshot', 'snapshot'],
    ['CopyVolumeToImage', 'Volume', 'volumeId'],
    ['Reimage', 'Volume', 'volume'],
    ['ExtendVolumeCompletion', 'Volume', 'volume'],
  ]);
});

test('a versioned object in a request brings the rules of its own version', (t) => {
  const create = internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager').methods.get('CreateVolume');
  const volume = create?.request.inside.find(({ place }) => place.property === 'volume')?.rules;
  t.is(volume?.object?.name, 'Volume');
  const useQuota = volume?.fields.find(({ name }) => name === 'use_quota');
  t.is(useQuota?.since && formatVersion(useQuota.since), '1.9');
  t.true(volume?.fields.find(({ name }) => name === 'provider_auth')?.secret);
});

test('fields with rules are named as the generated messages name them', (t) => {
  const messages: readonly (readonly [object, string, readonly string[]])[] = [
    [CreateVolumeRequest.fromPartial({}), 'CreateVolume', []],
    [NotifyServiceCapabilitiesRequest.fromPartial({}), 'NotifyServiceCapabilities', []],
  ];
  const api = internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager');
  for (const [message, method] of messages) {
    for (const { place } of api.methods.get(method)?.request.fields ?? [])
      t.true(place.property in message, place.property);
  }
  const volume = api.methods
    .get('CreateVolume')
    ?.request.inside.find(({ place }) => place.property === 'volume')?.rules;
  for (const { place } of volume?.fields ?? []) t.true(place.property in WireVolume.fromPartial({}), place.property);
});

test('every public method has a policy, and its fields for administrators are known', (t) => {
  for (const api of rules.public.values()) for (const { path, policy } of api.methods.values()) t.truthy(policy, path);
  const hidden = publicApiOf(rules, 'cinder.api.v3.Volumes').methods.get('GetVolume')?.adminOnly;
  const fields = hidden?.inside[0]?.cut.clear.map(({ property }) => property) ?? [];
  t.deepEqual(fields, ['host', 'migrationStatus', 'clusterName', 'serviceUuid', 'providerId', 'providerLocation']);
  const volume = GetVolumeResponse.fromPartial({ volume: {} }).volume ?? {};
  for (const field of fields) t.true(field in volume, field);
  t.is(publicApiOf(rules, 'cinder.api.v3.Volumes').methods.get('DeleteVolume')?.adminOnly, undefined);
});

const INTERNAL = `
  package broken;
  message Request { string extra = 1 [(cinder.rpc.v1.since) = "3.9"]; }
  message Response {}
`;

test('protos that break a rule are named, all of them in one error', async (t) => {
  const broken = await descriptorsOf(
    t,
    `${INTERNAL}
    service Manager {
      option (cinder.rpc.v1.api) = { binary: "broken", version: "3.4", baseline: "3.0" };
      rpc Kindless(Request) returns (Response);
      rpc Future(Response) returns (Response) { option (cinder.rpc.v1.method) = { since: "3.5", kind: KIND_CALL }; }
      rpc Adrift(Response) returns (Response) { option (cinder.rpc.v1.method) = { kind: KIND_CAST, durable: true }; }
      rpc Nameless(Request) returns (Response) {
        option (cinder.rpc.v1.method) = { kind: KIND_CAST, durable: true, resource: "volume_id" };
      }
      rpc Waiting(Response) returns (Response) { option (cinder.rpc.v1.method) = { kind: KIND_CALL, durable: true }; }
      rpc Flowing(stream Response) returns (Response) { option (cinder.rpc.v1.method) = { kind: KIND_CALL }; }
    }`,
  );
  const error = t.throws(() => readRules(broken));
  for (const problem of [
    'Kindless has no kind',
    'broken.Request.extra is newer than its version',
    'Future is newer than its API',
    'Adrift is durable, but carries no resource',
    'Nameless is durable, but carries no resource',
    'Waiting is durable, but no cast',
    'Flowing is a stream',
  ]) {
    t.true(error.message.includes(problem), `${problem} in: ${error.message}`);
  }
});

test('a public method without a policy is refused', async (t) => {
  const broken = await descriptorsOf(
    t,
    `package cinder.api.v3; message Nothing {} service Open { rpc Door(Nothing) returns (Nothing); }`,
  );
  t.throws(() => readRules(broken), { message: /\/cinder\.api\.v3\.Open\/Door has no policy/ });
});

test('a binary runs as any version it ever had, and as no other', (t) => {
  const api = internalApiOf(rules, 'cinder.volume.v3.VolumeManager');
  t.is(formatVersion(ownVersion(api, undefined)), '3.20');
  t.is(formatVersion(ownVersion(api, '3.15')), '3.15');
  for (const version of ['3.21', '2.9', '4.0', 'new']) t.throws(() => ownVersion(api, version), undefined, version);
});

test('services that are not in the protos are an error at once', (t) => {
  t.throws(() => internalApiOf(rules, 'cinder.api.v3.Volumes'));
  t.throws(() => publicApiOf(rules, 'cinder.volume.v3.VolumeManager'));
  t.true(descriptors.files.size > 10);
});
