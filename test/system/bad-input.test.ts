import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { QuotasService } from '#src/gen/cinder/api/v3/quotas.js';
import {
  CreateVolumeRequest,
  ListVolumesRequest,
  SchedulerHints,
  VolumesService,
} from '#src/gen/cinder/api/v3/volumes.js';
import { answered, type Caller, callerFor, raw, refused } from '../support/api.js';
import { sharedInstallation } from '../support/installation.js';
import { MEBIBYTE } from '../support/rpc.js';

/** Whatever is sent in this file is refused: in the end there must be nothing at all. */
const installation = sharedInstallation();

const { createVolume, listVolumes } = VolumesService;
const LONG = 'x'.repeat(256);
const BELL = 'a\u0007b';
const UUID = randomUUID();
const hints = (fields: Partial<SchedulerHints>): SchedulerHints => SchedulerHints.fromPartial(fields);
const pairs = (...keys: string[]): Map<string, string> => new Map(keys.map((key) => [key, 'value']));

/** One field each; the size is right unless it is what is wrong. */
const BAD: readonly (readonly [what: string, request: Partial<CreateVolumeRequest>, field: string])[] = [
  ['no size', { size: undefined }, 'size'],
  ['a size of zero', { size: 0 }, 'size'],
  ['a negative size', { size: -1 }, 'size'],
  ['the smallest size there is', { size: -(2 ** 31) }, 'size'],
  ['a name that is too long', { name: LONG }, 'name'],
  ['a name that is too long by one emoji', { name: '🙂'.repeat(256) }, 'name'],
  ['a name with control characters', { name: BELL }, 'name'],
  ['a description that is too long', { description: LONG }, 'description'],
  ['a description with control characters', { description: BELL }, 'description'],
  ['a volume type that is too long', { volumeType: LONG }, 'volume_type'],
  ['a volume type with control characters', { volumeType: BELL }, 'volume_type'],
  ['an empty zone', { availabilityZone: '' }, 'availability_zone'],
  ['a zone that is too long', { availabilityZone: LONG }, 'availability_zone'],
  ['a zone with control characters', { availabilityZone: BELL }, 'availability_zone'],
  ['too many pairs', { metadata: pairs(...Array.from({ length: 129 }, (_, n) => `k${n}`)) }, 'metadata'],
  ['an empty key', { metadata: pairs('') }, 'metadata[""]'],
  ['a key that is too long', { metadata: pairs(LONG) }, `metadata["${LONG.slice(0, 64)}"]`],
  ['a key with control characters', { metadata: pairs(BELL) }, 'metadata["a\\u0007b"]'],
  ['the key __proto__', { metadata: pairs('__proto__') }, 'metadata["__proto__"]'],
  ['the key constructor', { metadata: pairs('constructor') }, 'metadata["constructor"]'],
  ['a value that is too long', { metadata: new Map([['k', LONG]]) }, 'metadata["k"]'],
  ['a value with control characters', { metadata: new Map([['k', BELL]]) }, 'metadata["k"]'],
  ['a malformed snapshot', { snapshotId: 'x' }, 'snapshot_id'],
  ['an empty snapshot', { snapshotId: '' }, 'snapshot_id'],
  ['a source in upper case', { sourceVolumeId: UUID.toUpperCase() }, 'source_volume_id'],
  ['a malformed image', { imageId: `${UUID}0` }, 'image_id'],
  ['a malformed backup', { backupId: `{${UUID}}` }, 'backup_id'],
  ['a malformed group', { groupId: "' OR 1=1" }, 'group_id'],
  ['two sources', { snapshotId: UUID, imageId: UUID }, 'image_id'],
  ['multiattach', { multiattach: true }, 'multiattach'],
  ['a malformed hint', { schedulerHints: hints({ sameHost: [UUID, 'x'] }) }, 'scheduler_hints.same_host[1]'],
  [
    'too many hints',
    { schedulerHints: hints({ differentHost: Array.from({ length: 101 }, () => randomUUID()) }) },
    'scheduler_hints.different_host',
  ],
  ['a malformed server', { schedulerHints: hints({ localToInstance: '' }) }, 'scheduler_hints.local_to_instance'],
  ['an empty query', { schedulerHints: hints({ query: '' }) }, 'scheduler_hints.query'],
  ['a query that is too long', { schedulerHints: hints({ query: 'x'.repeat(4_097) }) }, 'scheduler_hints.query'],
  ['an empty idempotency key', { idempotencyKey: '' }, 'idempotency_key'],
  ['an idempotency key that is too long', { idempotencyKey: LONG }, 'idempotency_key'],
  ['an idempotency key that is not ASCII', { idempotencyKey: 'é' }, 'idempotency_key'],
  ['an idempotency key with a line end', { idempotencyKey: 'a\n' }, 'idempotency_key'],
];

const isRefused = test.macro({
  async exec(t, request: Partial<CreateVolumeRequest>, field: string) {
    const call = callerFor(t, installation());
    const refusal = refused(await call(createVolume, CreateVolumeRequest.fromPartial({ size: 1, ...request })));
    t.like(refusal, { code: 'INVALID_ARGUMENT', reason: 'INVALID_INPUT', domain: 'cinder-grpc' });
    t.deepEqual(refusal.fields, [field]);
    await nothingHappened(t, call);
  },
  title: (what) => `${what} is refused, and nothing is reserved or written`,
});

for (const [what, request, field] of BAD) test(what, isRefused, request, field);

test('one answer names every bad field', async (t) => {
  const call = callerFor(t, installation());
  const everything: Partial<CreateVolumeRequest> = {
    ...{ size: 0, name: BELL, description: LONG, volumeType: LONG, availabilityZone: '', multiattach: true },
    ...{ metadata: pairs('__proto__', ''), snapshotId: 'x', groupId: 'x', idempotencyKey: '' },
    schedulerHints: hints({ sameHost: ['x'], differentHost: ['x'], localToInstance: 'x', query: '' }),
  };
  const refusal = refused(await call(createVolume, CreateVolumeRequest.fromPartial(everything)));
  t.is(refusal.code, 'INVALID_ARGUMENT');
  t.deepEqual(
    [...refusal.fields].sort(),
    [
      ...['size', 'name', 'description', 'volume_type', 'availability_zone', 'multiattach'],
      ...['metadata["__proto__"]', 'metadata[""]', 'snapshot_id', 'group_id', 'idempotency_key'],
      ...['same_host[0]', 'different_host[0]', 'local_to_instance', 'query'].map((hint) => `scheduler_hints.${hint}`),
    ].sort(),
  );
  t.is(refusal.facts['omitted'], '0');
  await nothingHappened(t, call);
});

test('of many bad fields at most fifty are named, and the rest is counted', async (t) => {
  const call = callerFor(t, installation());
  const metadata = pairs(...Array.from({ length: 128 }, (_, n) => `\u0001${n}`));
  const refusal = refused(await call(createVolume, CreateVolumeRequest.fromPartial({ size: 1, metadata })));
  t.is(refusal.code, 'INVALID_ARGUMENT');
  t.true(refusal.fields.length > 10 && refusal.fields.length <= 50, `${refusal.fields.length} are named`);
  t.is(refusal.fields.length + Number(refusal.facts['omitted']), 128);
  t.regex(refusal.message, /; and \d+ more\.$/);
});

test('bytes that are no request are refused, whatever they are', async (t) => {
  const call = callerFor(t, installation());
  const cases = {
    'an unfinished varint': [0x08, 0xff],
    'a length beyond the end': [0x12, 0x7f, 0x61],
    'a name that is not UTF-8': [0x08, 0x01, 0x12, 0x01, 0xff],
    'the field number zero': [0x00, 0x01],
  };
  for (const [what, bytes] of Object.entries(cases)) {
    const refusal = refused(await call(raw(createVolume), Buffer.from(bytes)));
    t.like(refusal, { code: 'INVALID_ARGUMENT', reason: 'INVALID_INPUT' }, what);
  }
  await nothingHappened(t, call);
});

for (const field of ['snapshotId', 'imageId', 'backupId', 'groupId'] as const) {
  const name = field.replace('Id', '_id');
  test(`a volume with a ${name} is not built yet, which names the field and reserves nothing`, async (t) => {
    const call = callerFor(t, installation());
    const refusal = refused(await call(createVolume, { ...CreateVolumeRequest.create({ size: 1 }), [field]: UUID }));
    t.like(refusal, { code: 'UNIMPLEMENTED', reason: 'NOT_BUILT', facts: { what: name } });
    t.true(refusal.message.includes(name), refusal.message);
    await nothingHappened(t, call);
  });
}

test('an unknown volume type is NOT_FOUND and an unknown zone INVALID_ARGUMENT, each naming it', async (t) => {
  const call = callerFor(t, installation());
  const type = refused(await call(createVolume, CreateVolumeRequest.fromPartial({ size: 1, volumeType: 'gold' })));
  t.like(type, { code: 'NOT_FOUND', reason: 'VOLUME_TYPE_NOT_FOUND', facts: { volumeType: 'gold' } });
  const zone = refused(
    await call(createVolume, CreateVolumeRequest.fromPartial({ size: 1, availabilityZone: 'mars' })),
  );
  t.like(zone, { code: 'INVALID_ARGUMENT', reason: 'INVALID_AVAILABILITY_ZONE', facts: { availabilityZone: 'mars' } });
  await nothingHappened(t, call);
});

test('a page size below zero is refused', async (t) => {
  const call = callerFor(t, installation());
  const refusal = refused(await call(listVolumes, ListVolumesRequest.fromPartial({ pageSize: -1, pageToken: '' })));
  t.like(refusal, { code: 'INVALID_ARGUMENT', fields: ['page_size'] });
});

test.serial('a message that is too large is refused before it is in memory', async (t) => {
  const call = callerFor(t, installation());
  const tooLarge = async (bytes: number): Promise<string> =>
    refused(await call(raw(createVolume), Buffer.alloc(bytes))).code;
  t.is(await tooLarge(2 * MEBIBYTE), 'RESOURCE_EXHAUSTED');
  const before = peakBytes(installation().process.child.pid);
  for (let n = 0; n < 3; n++) t.is(await tooLarge(48 * MEBIBYTE), 'RESOURCE_EXHAUSTED');
  const grown = peakBytes(installation().process.child.pid) - before;
  t.true(grown < 24 * MEBIBYTE, `the server has grown by ${grown} bytes`);
});

test.after('nothing is left of what was refused', async (t) => {
  t.is(await installation().stop(), 0);
  t.deepEqual(installation().books(), { records: new Map(), workers: 0, settlements: 0, files: [], halfMade: 0 });
});

/** Nothing in use, nothing reserved, nothing to be seen. */
async function nothingHappened(t: ExecutionContext, call: Caller): Promise<void> {
  const { quotaSet } = answered(await call(QuotasService.getQuotaSet, { projectId: '', usage: true }));
  const used = [...(quotaSet?.usage ?? [])].filter(([, { inUse, reserved }]) => inUse + reserved !== 0);
  t.true(quotaSet?.usage.has('volumes'));
  t.deepEqual(used, []);
  t.deepEqual(
    answered(await call(listVolumes, ListVolumesRequest.fromPartial({ pageSize: 0, pageToken: '' }))).volumes,
    [],
  );
}

/** Most memory a process has had. */
function peakBytes(pid: number | undefined): number {
  const [, kibibytes = ''] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1_024;
}
