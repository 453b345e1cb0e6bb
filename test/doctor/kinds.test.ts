import { readFileSync } from 'node:fs';
import test from 'ava';
import { findingView, subjectOf, subjectView } from '#src/api/views/finding-view.js';
import { type FindingKind, KINDS, SUBJECTS } from '#src/doctor/kinds.js';
import { FindingKind as WireKind, Subject } from '#src/gen/cinder/api/v3/diagnostics.js';

const PAGE = readFileSync(new URL('../../../docs/operating.md', import.meta.url), 'utf8');

test('operators are told of every kind of finding, under its subject, and of no other', (t) => {
  const rows = [...PAGE.matchAll(/^\| (\w+) \| `(\w+)`: /gm)].map(([, subject, kind]) => [kind, subject]);
  t.deepEqual(
    Object.fromEntries(rows),
    Object.fromEntries(Object.entries(KINDS).map(([kind, { subject }]) => [kind, subject])),
  );
});

test('every kind and every subject has a name of its own on the wire', (t) => {
  const kinds = (Object.keys(KINDS) as FindingKind[]).map((kind) => {
    const finding = { kind, resource: '', description: '', remedy: '', repairable: false, repaired: false };
    return findingView(finding).kind;
  });
  const named = <Wire extends string>(names: readonly Wire[], less: readonly Wire[]) =>
    names.filter((name) => !less.includes(name)).toSorted();
  t.deepEqual(kinds.toSorted(), named(Object.values(WireKind), [WireKind.UNSPECIFIED, WireKind.UNRECOGNIZED]));
  t.deepEqual(
    SUBJECTS.map(subjectView).toSorted(),
    named(Object.values(Subject), [Subject.UNSPECIFIED, Subject.UNRECOGNIZED]),
  );
  for (const subject of SUBJECTS) t.is(subjectOf(subjectView(subject)), subject);
  t.is(subjectOf(Subject.UNSPECIFIED), undefined);
});
