import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { ANNOTATIONS, FINGERPRINTS } from '../../scripts/versions-list.js';
import { annotations } from '../../scripts/versions/annotations.js';
import { fingerprints, type Row } from '../../scripts/versions/fingerprints.js';
import { brokenPromises, readRows, writeRows } from '../../scripts/versions/published.js';
import { descriptors, descriptorsOf } from '../support/rpc.js';

const { registry } = descriptors;

test('the reviewed list has every version rule of the protos: npm run gen:versions', (t) => {
  t.is(readFileSync(ANNOTATIONS, 'utf8'), annotations(registry));
});

test('what a published version looks like has not changed', (t) => {
  t.deepEqual(brokenPromises(readRows(readFileSync(FINGERPRINTS, 'utf8')), fingerprints(registry)), []);
});

test('the fingerprints of new versions are kept as well: npm run gen:versions', (t) => {
  t.is(readFileSync(FINGERPRINTS, 'utf8'), writeRows(fingerprints(registry)));
});

test('rows are read as they were written, and nothing else is', (t) => {
  const rows = fingerprints(registry);
  t.deepEqual(readRows(writeRows(rows)), rows);
  t.throws(() => readRows('cinder-volume 3.0 Name'), { message: /is no row/ });
});

/** An API at 3.1, an object at 1.2, and a message that belongs to neither. */
const PUBLISHED = `
  package cinder.test.v3;
  service S {
    option (cinder.rpc.v1.api) = {binary: "s" version: "3.1" baseline: "3.0"};
    rpc Old(OldRequest) returns (OldResponse) {
      option (cinder.rpc.v1.method) = {kind: KIND_CALL};
    }
    rpc New(NewRequest) returns (OldResponse) {
      option (cinder.rpc.v1.method) = {since: "3.1" kind: KIND_CALL};
    }
  }
  message OldRequest {
    string a = 1;
    string b = 2 [(cinder.rpc.v1.since) = "3.1"];
    Thing thing = 3;
    Shape shape = 4;
  }
  message NewRequest { string c = 1; }
  message OldResponse { Plain plain = 1; }
  message Thing {
    option (cinder.rpc.v1.object) = {name: "Thing" version: "1.2"};
    string id = 1;
    string d = 2 [(cinder.rpc.v1.since) = "1.2"];
    Plain plain = 3;
  }
  message Plain { string e = 1; }
  enum Shape { SHAPE_UNSPECIFIED = 0; SHAPE_FLAT = 1; }
`;

const RAISED: readonly Change[] = [['version: "3.1" baseline', 'version: "3.2" baseline']];

test('what is new in a new version of an API only adds rows', async (t) => {
  const before = await rowsOf(t, PUBLISHED);
  const after = await rowsOf(
    t,
    edited(PUBLISHED, [
      ...RAISED,
      ['string a = 1;', 'string a = 1; Late late = 7 [(cinder.rpc.v1.since) = "3.2"];'],
      ['message NewRequest', 'message Late { Kind kind = 1; } enum Kind { KIND_NONE = 0; } message NewRequest'],
      [
        'rpc New(',
        'rpc Later(Late) returns (OldResponse) { option (cinder.rpc.v1.method) = {since: "3.2" kind: KIND_CALL}; } rpc New(',
      ],
    ]),
  );
  t.deepEqual(brokenPromises(before, after), []);
  const lines = new Set(writeRows(after).split('\n'));
  const gone = writeRows(before)
    .split('\n')
    .filter((line) => !lines.has(line) && !line.endsWith(' newest'));
  t.deepEqual(gone, []);
});

test('what is new in a new version of an object only adds rows', async (t) => {
  const changes: Change[] = [['name: "Thing" version: "1.2"', 'name: "Thing" version: "1.3"']];
  const field: Change = ['string id = 1;', 'string id = 1; string f = 9 [(cinder.rpc.v1.since) = "1.3"];'];
  const [before, after] = await Promise.all([rowsOf(t, PUBLISHED), rowsOf(t, edited(PUBLISHED, [...changes, field]))]);
  t.deepEqual(brokenPromises(before, after), [
    'cinder.test.v3.Thing is no longer 1.2 in entry 1.38 of the object history, which is published. ' +
      'Add an entry to src/rpc/object-history.ts, and let the former one name the former version.',
  ]);
  const history = ({ clock }: Row): boolean => clock !== 'objects';
  t.deepEqual(brokenPromises(before.filter(history), after.filter(history)), []);
});

type Change = readonly [from: string, to: string];

const broken = test.macro({
  exec: async (t, change: Change, expected: readonly RegExp[]) => {
    const [before, after] = await Promise.all([rowsOf(t, PUBLISHED), rowsOf(t, edited(PUBLISHED, [change]))]);
    const said = brokenPromises(before, after);
    t.is(said.length, expected.length, said.join('\n'));
    for (const [index, pattern] of expected.entries()) t.regex(said[index] ?? '', pattern);
  },
  title: (what) => `a published version is kept from ${what ?? ''}`,
});

test(
  'a field that says no since',
  broken,
  ['string c = 1;', 'string c = 1; string g = 2;'],
  [
    /^cinder\.test\.v3\.NewRequest has changed as of s 3\.1, which is published\. Give what is new a `since` of a new version, and raise the version of s/,
  ],
);
test(
  'a field with the since of a version that is out',
  broken,
  ['string a = 1;', 'string a = 1; string g = 9 [(cinder.rpc.v1.since) = "3.1"];'],
  [/OldRequest has changed as of s 3\.1, which is published/],
);
test(
  'a field in a version that never saw it',
  broken,
  ['string c = 1;', 'string c = 1; string g = 9 [(cinder.rpc.v1.since) = "3.1"];'],
  [/NewRequest has changed as of s 3\.1/],
);
test('another type of a field', broken, ['string a = 1;', 'int32 a = 1;'], [/OldRequest has changed as of s 3\.0/]);
test('another number of a field', broken, ['string a = 1;', 'string a = 8;'], [/OldRequest has changed as of s 3\.0/]);
test('another since of a field', broken, ['"3.1"];', '"3.0"];'], [/OldRequest has changed as of s 3\.0/]);
test(
  'the loss of a field',
  broken,
  ['string d = 2 [(cinder.rpc.v1.since) = "1.2"];', ''],
  [/Thing as of Thing 1\.2 is gone, and peers of that age still use it\. Put it back\./],
);
test(
  'a field of an object that is out',
  broken,
  ['string id = 1;', 'string id = 1; string g = 9;'],
  [/Thing has changed as of Thing 1\.0/],
);
test(
  'a method that says no since',
  broken,
  [
    'rpc New(',
    'rpc Late(OldRequest) returns (OldResponse) { option (cinder.rpc.v1.method) = {kind: KIND_CALL}; } rpc New(',
  ],
  [/S\/Late is new as of s 3\.0, which is published without it/],
);
test(
  'another kind of a method',
  broken,
  ['{kind: KIND_CALL}', '{kind: KIND_CAST}'],
  [/S\/Old has changed as of s 3\.0/],
);
test(
  'the loss of a method',
  broken,
  ['since: "3.1" kind: KIND_CALL', 'since: "3.0" kind: KIND_CALL'],
  [/NewRequest as of s 3\.1 is gone/, /S\/New is new as of s 3\.0|S\/New as of s 3\.1 is gone/],
);
const NEVER_GROW =
  /Shape has other values than were published: values of internal enums never grow; a new field is added instead \(ADR 21\)\.$/;
test(
  'another value of an enum',
  broken,
  ['SHAPE_UNSPECIFIED = 0;', 'SHAPE_UNSPECIFIED = 0; SHAPE_ROUND = 2;'],
  [NEVER_GROW],
);
test('another number of a value', broken, ['SHAPE_FLAT = 1;', 'SHAPE_FLAT = 2;'], [NEVER_GROW]);
test('another name of a value', broken, ['SHAPE_FLAT = 1;', 'SHAPE_LEVEL = 1;'], [NEVER_GROW]);
test('the loss of a value', broken, ['SHAPE_FLAT = 1;', ''], [NEVER_GROW]);

test('a new version brings no value to an enum that is out, but a field with an enum of its own', async (t) => {
  const before = await rowsOf(t, PUBLISHED);
  const grown = [...RAISED, ['SHAPE_FLAT = 1;', 'SHAPE_FLAT = 1; SHAPE_ROUND = 2;']] as const;
  const [sentence = '', ...more] = brokenPromises(before, await rowsOf(t, edited(PUBLISHED, grown)));
  t.regex(sentence, NEVER_GROW);
  t.deepEqual(more, []);
  const instead: readonly Change[] = [
    ...RAISED,
    ['string a = 1;', 'string a = 1; Finer finer = 9 [(cinder.rpc.v1.since) = "3.2"];'],
    ['enum Shape', 'enum Finer { FINER_UNSPECIFIED = 0; FINER_ROUND = 1; } enum Shape'],
  ];
  t.deepEqual(brokenPromises(before, await rowsOf(t, edited(PUBLISHED, instead))), []);
});

test('the way of durable casts has no version, and must never change: it is kept too', async (t) => {
  const rows = fingerprints(registry);
  const names = rows.filter(({ name }) => name.startsWith('cinder.rpc.v1.')).map(({ name }) => name.slice(14));
  t.deepEqual(names, [
    ...['Cast', 'CastContext', 'CastOutcome', 'CastResult'],
    ...['Casts/Deliver', 'DeliverRequest', 'DeliverResponse'],
  ]);
  const bare = edited(PUBLISHED, [
    [
      'message OldRequest',
      'service Bare { rpc Go(Plain) returns (Bag); } message Bag { Shape shape = 1; } message OldRequest',
    ],
  ]);
  const before = await rowsOf(t, bare);
  const [bag = '', ...more] = brokenPromises(
    before,
    await rowsOf(t, edited(bare, [['Shape shape = 1;', 'Shape shape = 1; string g = 2;']])),
  );
  t.regex(bag, /Bag has changed, and it has no version/);
  t.deepEqual(more, []);
});

test(
  'any change of what has no version',
  broken,
  ['string e = 1;', 'string e = 1; string g = 2;'],
  [/Plain has changed, and it has no version by which an older peer could be spared the change\. Make it an object/],
);

async function rowsOf(t: ExecutionContext, proto: string): Promise<readonly Row[]> {
  return fingerprints((await descriptorsOf(t, proto)).registry);
}

/** Each change is there exactly once, or the test would prove nothing. */
function edited(proto: string, changes: readonly Change[]): string {
  return changes.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) throw new Error(`'${from}' is not there exactly once`);
    return text.replace(from, to);
  }, proto);
}
