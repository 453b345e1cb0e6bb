const RESULT = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$/;
const TRAILER = /^# (pass|fail|skip) (\d+)$/;

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 * @typedef {{
 *   line(text: string, atMs?: number): void,
 *   end(): { counts: Counts, isWhole: boolean, skipped: string[], seen: { title: string, atMs: number }[] },
 * }} TapReader
 */

/**
 * Reads AVA's TAP line by line. A failure is handed to `onFailure` with all that was said about it as soon as the next
 * result begins. A test that is only planned (TODO) counts as skipped.
 * @param {(failure: string) => void} onFailure
 * @returns {TapReader}
 */
export function readTap(onFailure) {
  const counted = { passed: 0, failed: 0, skipped: 0 };
  const trailer = new Map();
  const skipped = [];
  const seen = [];
  let planned = 0;
  /** @type {string[] | undefined} the failure whose details are being read */
  let failure;

  const closeFailure = () => {
    if (failure) onFailure(failure.join('\n'));
    failure = undefined;
  };

  return {
    line(text, atMs = 0) {
      const result = RESULT.exec(text);
      const total = TRAILER.exec(text);
      if (result || total || /^1\.\.\d+$/.test(text)) closeFailure();
      if (total) trailer.set(total[1], Number(total[2]));
      if (!result) {
        failure?.push(text);
        return;
      }
      const [, not, title = '', directive] = result;
      seen.push({ title, atMs });
      if (directive) {
        counted.skipped++;
        if (directive === 'TODO') planned++;
        skipped.push(title);
      } else if (not) {
        counted.failed++;
        failure = [`not ok: ${title}`];
      } else {
        counted.passed++;
      }
    },

    end() {
      closeFailure();
      const isWhole = trailer.has('pass') && trailer.has('fail');
      // AVA's own figures also count tests that never ran; it counts planned ones as failed
      const counts = isWhole
        ? {
            passed: trailer.get('pass'),
            failed: Math.max(trailer.get('fail') - planned, counted.failed),
            skipped: counted.skipped,
          }
        : counted;
      return { counts, isWhole, skipped, seen };
    },
  };
}

/**
 * The line that ends a run: `N passed, N failed`, and `, N skipped` where there are any.
 * @param {Counts} counts
 */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * What several runs come to together.
 * @param {readonly Counts[]} runs
 * @returns {Counts}
 */
export function total(runs) {
  const sum = (key) => runs.reduce((all, counts) => all + counts[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

/**
 * Whether a run counts as good: something ran, nothing failed and, where `mustNotSkip`, nothing was left out.
 * @param {Counts} counts
 * @param {{ mustNotSkip: boolean }} options
 */
export function isGood({ passed, failed, skipped }, { mustNotSkip }) {
  return passed > 0 && failed === 0 && !(mustNotSkip && skipped > 0);
}

/**
 * How long each test file took, longest first. TAP has no times, so a file's time runs from when a place in the runner
 * became free to its last result.
 * @param {readonly { title: string, atMs: number }[]} seen results with the time since the start of the run
 * @param {{ files: readonly string[], places: number }} run compiled test files; how many ran at the same time
 * @returns {{ file: string, ms: number }[]}
 */
export function fileTimes(seen, { files, places }) {
  /** @type {Map<string, { first: number, last: number }>} */
  const spans = new Map();
  for (const { title, atMs } of seen) {
    const file = fileOf(title, files);
    if (file !== undefined) spans.set(file, { first: spans.get(file)?.first ?? atMs, last: atMs });
  }
  const free = Array.from({ length: places }, () => 0);
  return [...spans]
    .toSorted(([, a], [, b]) => a.first - b.first)
    .map(([file, { first, last }], index) => {
      // the place that became free last; but no place stays free while files wait, so the others need a file each
      const filesAfter = spans.size - index - 1;
      const place = Math.max(
        0,
        Math.min(
          free.findLastIndex((at) => at <= first),
          filesAfter,
        ),
      );
      const start = free[place] ?? 0;
      free[place] = last;
      free.sort((a, b) => a - b);
      return { file, ms: last - start };
    })
    .toSorted((a, b) => b.ms - a.ms);
}

/** AVA writes `quota › limits › title` for build/test/quota/limits.test.js, without the folders that all files share. */
function fileOf(title, files) {
  if (files.length === 1) return files[0]; // then it writes `title` alone
  const words = title.split(' › ');
  for (let count = words.length - 1; count > 0; count--) {
    const ending = `/${words.slice(0, count).join('/')}.test.js`;
    const file = files.find((each) => `/${each}`.endsWith(ending));
    if (file !== undefined) return file;
  }
  return undefined;
}
