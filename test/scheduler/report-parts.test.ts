import test from 'ava';
import fc from 'fast-check';
import { MAX_PARTS, MAX_POOLS_PER_PART, ReportParts, type ReportPart } from '#src/scheduler/report-parts.js';

test('a report is whole when its last part is here, in whatever order and however often they come', (t) => {
  const arrivals = fc
    .tuple(fc.array(fc.nat(2), { maxLength: 6 }), fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }))
    .map(([repeated, all]) => [...repeated, ...all]);
  fc.assert(
    fc.property(arrivals, (numbers) => {
      const { parts } = partsOf();
      const reports = numbers.map((number) => parts.add(part({ number })));
      const lastNew = numbers.findLastIndex((number, index) => numbers.indexOf(number) === index);
      t.is(
        reports.findIndex((report) => report !== undefined),
        lastNew,
      );
      t.deepEqual(reports[lastNew]?.capabilities, { vendor_name: 'v', pools: ['p0', 'p1', 'p2', 'p3'] });
    }),
    { numRuns: 100 },
  );
});

test('a report without parts is whole as it is', (t) => {
  const { parts } = partsOf();
  const whole = part({ number: 0, reportId: '', partCount: 0 });
  t.is(parts.add(whole), whole);
});

test('a part of a newer report drops the older one, and a late part of the older is ignored', (t) => {
  const { parts } = partsOf();
  parts.add(part({ number: 0, reportId: 'old', partCount: 2, timestamp: 1 }));
  parts.add(part({ number: 0, reportId: 'new', partCount: 2, timestamp: 2 }));
  t.is(parts.add(part({ number: 1, reportId: 'old', partCount: 2, timestamp: 1 })), undefined);
  t.is(parts.add(part({ number: 1, reportId: 'new', partCount: 2, timestamp: 2 }))?.timestamp, 2);
});

test('a report that takes too long is forgotten', (t) => {
  const { parts, at } = partsOf();
  parts.add(part({ number: 0, host: 'slow@b' }));
  at(61_000);
  parts.add(part({ number: 0, host: 'other@b' }));
  t.is(parts.unfinishedCount, 1);
});

test('more unfinished reports than the bound push the oldest out', (t) => {
  const { parts } = partsOf();
  for (const host of ['a@b', 'b@b', 'c@b', 'd@b']) parts.add(part({ number: 0, host, partCount: 2 }));
  t.is(parts.unfinishedCount, 3);
  t.is(parts.add(part({ number: 1, host: 'a@b', partCount: 2 })), undefined);
  t.truthy(parts.add(part({ number: 1, host: 'd@b', partCount: 2 })));
});

test('a part that cannot be one is refused', (t) => {
  const { parts } = partsOf();
  const tooMany = Array.from({ length: MAX_POOLS_PER_PART + 1 }, (_, index) => `p${index}`);
  for (const bad of [
    part({ number: 4 }),
    part({ number: -1 }),
    part({ number: 0.5 }),
    part({ number: 0, partCount: MAX_PARTS + 1 }),
    part({ number: 0, partCount: NaN }),
    part({ number: 0, pools: tooMany }),
  ]) {
    t.throws(() => parts.add(bad), { name: 'InvalidInput' });
  }
  t.is(parts.unfinishedCount, 0);
});

function partsOf() {
  let now = 0;
  const parts = new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 3, now: () => now });
  return { parts, at: (time: number) => void (now = time) };
}

interface PartOptions {
  readonly number: number;
  readonly host?: string;
  readonly reportId?: string;
  readonly partCount?: number;
  readonly timestamp?: number;
  readonly pools?: readonly string[];
}

function part({ number, host = 'h@b', reportId = 'r', partCount = 4, timestamp = 1, pools }: PartOptions): ReportPart {
  const capabilities = { vendor_name: 'v', pools: pools ?? [`p${number}`] };
  return { host, clusterName: null, timestamp, capabilities, reportId, part: number, partCount };
}
