import test from 'ava';

import { fileTimes, isGood, readTap, summary, total } from '#scripts/tap.mjs';

const SAMPLE = `TAP version 13
not ok 1 - No tests found in build/test/none.test.js
ok 2 - quota › limits › is skipped # SKIP
not ok 3 - quota › limits › to do # TODO
ok 4 - quota › limits › passes
not ok 5 - quota › limits › fails by assertion
#   a word of the test
  ---
    name: AssertionError
    details:
      'Difference (- actual, + expected):': |2-
        -   a: 1,
        +   a: 2,
  ...
ok 6 - two › mentions # SKIPPED things › and an arrow

1..6
# tests 5
# pass 2
# skip 1
# fail 3
`;

function read(text: string): { failures: string[]; end: ReturnType<ReturnType<typeof readTap>['end']> } {
  const failures: string[] = [];
  const tap = readTap((failure: string) => failures.push(failure));
  for (const [index, line] of text.split('\n').entries()) tap.line(line, index * 10);
  return { failures, end: tap.end() };
}

test('the counts are those of the runner, a planned test counts as skipped, and no failure is lost', (t) => {
  const { end } = read(SAMPLE);

  t.deepEqual(end.counts, { passed: 2, failed: 2, skipped: 2 });
  t.deepEqual(end.skipped, ['quota › limits › is skipped', 'quota › limits › to do']);
  t.true(end.isWhole);
});

test('a failure is handed over whole, with what the test logged and the difference', (t) => {
  const { failures } = read(SAMPLE);

  t.is(failures.length, 2);
  t.is(failures[0], 'not ok: No tests found in build/test/none.test.js');
  t.true(failures[1]?.startsWith('not ok: quota › limits › fails by assertion\n#   a word of the test\n'));
  t.true(failures[1]?.endsWith('+   a: 2,\n  ...'));
});

test('tests that never ran because their file crashed count as failed', (t) => {
  const { end } = read(
    'ok 1 - first\nnot ok 2 - x.test.js exited with a non-zero exit code: 1\n\n1..2\n# pass 1\n# skip 0\n# fail 4\n',
  );

  t.deepEqual(end.counts, { passed: 1, failed: 4, skipped: 0 });
});

test('a runner that dies before its last word is noticed, and the failure it was telling of is kept', (t) => {
  const { end, failures } = read('ok 1 - first\nnot ok 2 - second\n  ---\n    name: Error');

  t.false(end.isWhole);
  t.deepEqual(end.counts, { passed: 1, failed: 1, skipped: 0 });
  t.deepEqual(failures, ['not ok: second\n  ---\n    name: Error']);
});

test('the last line names skipped tests only where there are any', (t) => {
  t.is(summary({ passed: 3, failed: 0, skipped: 0 }), '3 passed, 0 failed');
  t.is(summary({ passed: 3, failed: 1, skipped: 2 }), '3 passed, 1 failed, 2 skipped');
});

test('the counts of several runs add up, and a failure of one is a failure of all', (t) => {
  const runs = [
    { passed: 2_600, failed: 0, skipped: 1 },
    { passed: 4, failed: 1, skipped: 0 },
  ];

  t.deepEqual(total(runs), { passed: 2_604, failed: 1, skipped: 1 });
  t.false(isGood(total(runs), { mustNotSkip: false }));
});

test('a run is good when something ran, nothing failed and, in CI, nothing was skipped', (t) => {
  t.true(isGood({ passed: 1, failed: 0, skipped: 1 }, { mustNotSkip: false }));
  t.false(isGood({ passed: 1, failed: 0, skipped: 1 }, { mustNotSkip: true }));
  t.false(isGood({ passed: 0, failed: 0, skipped: 0 }, { mustNotSkip: false }));
  t.false(isGood({ passed: 9, failed: 1, skipped: 0 }, { mustNotSkip: false }));
});

test("a file's time runs from when a place in the runner became free to its last result", (t) => {
  const files = ['build/test/a/slow.test.js', 'build/test/b/quick.test.js', 'build/test/b/last.test.js'];
  const seen = [
    { title: 'b › quick › one', atMs: 1_000 },
    { title: 'b › quick › two', atMs: 2_000 },
    { title: 'b › last › three', atMs: 5_000 },
    { title: 'a › slow › four', atMs: 9_000 },
    { title: 'No tests found in build/test/x.test.js', atMs: 9_500 },
  ];

  t.deepEqual(fileTimes(seen, { files, places: 2 }), [
    { file: 'build/test/a/slow.test.js', ms: 9_000 },
    { file: 'build/test/b/last.test.js', ms: 3_000 },
    { file: 'build/test/b/quick.test.js', ms: 2_000 },
  ]);
});

test('a run of one file writes titles without it, and its time is known all the same', (t) => {
  const seen = [{ title: 'two schedulers never sell the same gigabyte', atMs: 7_000 }];

  t.deepEqual(fileTimes(seen, { files: ['build/test/alone/race.test.js'], places: 1 }), [
    { file: 'build/test/alone/race.test.js', ms: 7_000 },
  ]);
});
