import { randomUUID } from 'node:crypto';
import test from 'ava';
import { readCreateVolume } from '#src/api/read-create-volume.js';
import { Violations } from '#src/api/validation.js';
import { Fault } from '#src/errors/fault.js';
import { CreateVolumeRequest } from '#src/gen/cinder/api/v3/volumes.js';

const ID = '11111111-1111-4111-8111-111111111111';

/** Requests with one bad field, and the path under which it is named. */
const BAD: readonly (readonly [what: string, field: string, request: Partial<CreateVolumeRequest>])[] = [
  ['no size', 'size', { size: undefined }],
  ['a size of 0', 'size', { size: 0 }],
  ['a negative size', 'size', { size: -1 }],
  ['a name that is too long', 'name', { name: 'x'.repeat(256) }],
  ['a name of 256 letters beyond 16 bits', 'name', { name: '😀'.repeat(256) }],
  ['a name with a line end', 'name', { name: 'a\nb' }],
  ['a name with a NUL', 'name', { name: 'a\u0000b' }],
  ['a description that is too long', 'description', { description: 'x'.repeat(256) }],
  ['a description with an escape', 'description', { description: 'a\u001b[31m' }],
  ['a type that is too long', 'volume_type', { volumeType: 'x'.repeat(256) }],
  ['an empty zone', 'availability_zone', { availabilityZone: '' }],
  ['a zone that is too long', 'availability_zone', { availabilityZone: 'x'.repeat(256) }],
  ['an empty source', 'snapshot_id', { snapshotId: '' }],
  ['a source that is no id', 'source_volume_id', { sourceVolumeId: 'my-volume' }],
  ['an id in upper case', 'image_id', { imageId: ID.replaceAll('1', 'A') }],
  ['an id with an end of its own', 'group_id', { groupId: `${ID}\n` }],
  ['two sources', 'image_id', { snapshotId: ID, imageId: ID }],
  ['multiattach', 'multiattach', { multiattach: true }],
  ['an empty key', 'metadata[""]', { metadata: new Map([['', 'x']]) }],
  ['a poisonous key', 'metadata["__proto__"]', { metadata: new Map([['__proto__', 'x']]) }],
  ['another poisonous key', 'metadata["constructor"]', { metadata: new Map([['constructor', 'x']]) }],
  ['a key with a tab', 'metadata["a\\tb"]', { metadata: new Map([['a\tb', 'x']]) }],
  ['a value that is too long', 'metadata["a"]', { metadata: new Map([['a', 'x'.repeat(256)]]) }],
  ['too many pairs', 'metadata', { metadata: new Map(Array.from({ length: 129 }, (_, i) => [`${i}`, ''])) }],
  ['a hint that is no id', 'scheduler_hints.same_host[1]', hints({ sameHost: [ID, 'x'] })],
  ['a hint named twice', 'scheduler_hints.same_host[1]', hints({ sameHost: [ID, ID] })],
  ['too many hints', 'scheduler_hints.different_host', hints({ differentHost: ids(101) })],
  ['an instance that is no id', 'scheduler_hints.local_to_instance', hints({ localToInstance: 'x' })],
  ['an empty query', 'scheduler_hints.query', hints({ query: '' })],
  ['a query that is too long', 'scheduler_hints.query', hints({ query: 'x'.repeat(4_097) })],
  ['an empty key of the request', 'idempotency_key', { idempotencyKey: '' }],
  ['a key of the request that is too long', 'idempotency_key', { idempotencyKey: 'x'.repeat(256) }],
  ['a key of the request with other letters', 'idempotency_key', { idempotencyKey: 'schlüssel' }],
];

for (const [what, field, request] of BAD) {
  test(`a volume with ${what} is refused, and the field is named`, (t) => {
    t.deepEqual(violationsOf({ size: 1, ...request }), [field]);
  });
}

/** Requests at the edge of what is allowed. */
const GOOD: Readonly<Record<string, Partial<CreateVolumeRequest>>> = {
  'the largest size': { size: 2_147_483_647 },
  'an empty name': { name: '' },
  'a name of 255 letters beyond 16 bits': { name: '😀'.repeat(255) },
  'a description of several lines': { description: 'a\n\tb\r\n' },
  'an empty type, which is the default': { volumeType: '' },
  '128 pairs of metadata': { metadata: new Map(Array.from({ length: 128 }, (_, i) => [`${i}`, 'x'.repeat(255)])) },
  'metadata whose value is poisonous as a key': { metadata: new Map([['a', '__proto__']]) },
  'multiattach that is not wanted': { multiattach: false },
  'a hundred hints': hints({ sameHost: ids(100) }),
};

for (const [what, request] of Object.entries(GOOD)) {
  test(`a volume with ${what} is well-formed`, (t) => {
    t.deepEqual(violationsOf({ size: 1, ...request }), []);
  });
}

test('what is absent stays absent, and white space around words is removed', (t) => {
  const read = readCreateVolume(CreateVolumeRequest.create({ size: 5, name: '  data ', volumeType: '' }));
  t.deepEqual(read, { sizeGib: 5, name: 'data', description: null, metadata: new Map(), schedulerHints: new Map() });
});

test('hints travel as JSON under Cinder’s names, and only those that were given', (t) => {
  const { schedulerHints } = readCreateVolume(
    CreateVolumeRequest.create({ size: 1, ...hints({ sameHost: [ID], query: '["=", "$free", 1]' }) }),
  );
  t.deepEqual(
    [...schedulerHints],
    [
      ['same_host', JSON.stringify([ID])],
      ['query', JSON.stringify('["=", "$free", 1]')],
    ],
  );
});

test('a source that this version cannot use is named, after everything else was well-formed', (t) => {
  for (const field of ['snapshotId', 'imageId', 'backupId', 'groupId'] as const) {
    const request = { ...CreateVolumeRequest.create({ size: 1 }), [field]: ID };
    t.throws(() => readCreateVolume(request), { name: 'NotBuilt', message: /_id is not built yet/ });
  }
  t.deepEqual(violationsOf({ size: -1, snapshotId: ID }), ['size']);
});

test('a volume may be cloned in the size it has', (t) => {
  const request = { sourceVolumeId: ID };
  t.like(readCreateVolume(CreateVolumeRequest.create(request)), { sourceVolumeId: ID });
  t.false('sizeGib' in readCreateVolume(CreateVolumeRequest.create(request)));
  t.deepEqual(violationsOf({ ...request, size: 0 }), ['size']);
  t.deepEqual(violationsOf({ ...request, backupId: ID }), ['backup_id']);
});

test('a group may be named beside a source, two sources may not', (t) => {
  t.throws(() => readCreateVolume(CreateVolumeRequest.create({ groupId: ID, snapshotId: ID })), { name: 'NotBuilt' });
});

test('the same request has the same hash, whatever the order of its metadata and whatever its key', (t) => {
  const hashOf = (request: Partial<CreateVolumeRequest>) =>
    readCreateVolume(CreateVolumeRequest.create({ size: 1, idempotencyKey: 'k', ...request })).idempotency?.requestHash;
  const pairs: [string, string][] = Array.from({ length: 20 }, (_, i) => [`key ${i * 7}`, `${i}`]);
  t.is(
    hashOf({ metadata: new Map(pairs) }),
    hashOf({ metadata: new Map(pairs.toReversed()), idempotencyKey: 'other' }),
  );
  t.not(hashOf({ metadata: new Map(pairs) }), hashOf({ metadata: new Map(pairs.slice(1)) }));
  t.not(hashOf({ name: '' }), hashOf({}));
  t.is(readCreateVolume(CreateVolumeRequest.create({ size: 1 })).idempotency, undefined);
});

test('fifty bad fields are named in one answer, and the rest is counted', (t) => {
  const metadata = new Map(Array.from({ length: 120 }, (_, i): [string, string] => [`key ${i}`, 'x'.repeat(300)]));
  const error = t.throws(() => readCreateVolume(CreateVolumeRequest.create({ size: 0, metadata })));
  if (!Fault.is(error, 'InvalidInput')) return t.fail('InvalidInput was expected');
  t.is(error.facts.violations.length, 50);
  t.is(error.facts.omitted, 71);
  t.is(error.facts.violations[0]?.field, 'size');
  t.regex(error.message, /and 116 more\.$/);
});

test('a key that is long is quoted in part', (t) => {
  const [field = ''] = violationsOf({ size: 1, metadata: new Map([['k'.repeat(10_000), 'v']]) });
  t.is(field, `metadata["${'k'.repeat(64)}"]`);
});

test('pages hold 50 when nothing is said, at most 1000, and never less than none', (t) => {
  const bad = new Violations();
  t.deepEqual(
    [0, 1, 1_000, 1_001, 2_147_483_647].map((size) => bad.pageSize('page_size', size)),
    [50, 1, 1_000, 1_000, 1_000],
  );
  t.notThrows(() => bad.check());
  bad.pageSize('page_size', -1);
  t.throws(() => bad.check(), { name: 'InvalidInput', message: /page_size: must not be negative/ });
});

test('a project’s id has no letters that mean something to Redis', (t) => {
  for (const [id, isGood] of [
    ['p-1.a:B_', true],
    ['', false],
    ['a}b', false],
    ['{a', false],
    ['a b', false],
    ['x'.repeat(256), false],
  ] as const) {
    const bad = new Violations();
    bad.projectId('project_id', id);
    if (isGood) t.notThrows(() => bad.check(), id);
    else t.throws(() => bad.check(), { name: 'InvalidInput' }, id);
  }
});

/** Paths of the bad fields. */
function violationsOf(request: Partial<CreateVolumeRequest>): readonly string[] {
  try {
    readCreateVolume(CreateVolumeRequest.create(request));
    return [];
  } catch (error) {
    if (Fault.is(error, 'InvalidInput')) return error.facts.violations.map(({ field }) => field);
    throw error;
  }
}

function ids(count: number): readonly string[] {
  return Array.from({ length: count }, () => randomUUID());
}

function hints(some: object): Partial<CreateVolumeRequest> {
  const none = { sameHost: [], differentHost: [], localToInstance: undefined, query: undefined };
  return { schedulerHints: { ...none, ...some } };
}
